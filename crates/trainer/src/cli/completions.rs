//! `tks completions`, `tks man`: generated from the definition of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, print};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell: `tks completions bash > ~/.local/share/bash-completion/completions/tks`
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder; created if needed
    folder: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "tks", &mut text);
    print(String::from_utf8_lossy(&text).trim_end())?;
    Ok(())
}

pub(super) fn man(args: &ManArgs) -> Result<()> {
    let folder = &args.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Arguments::command(), folder)
        .with_context(|| format!("cannot write man pages to {}", folder.display()))?;
    print(&format!("man pages are in {}: `man -l {}`", folder.display(), folder.join("tks.1").display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn there_is_a_man_page_for_each_command() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArgs { folder: folder.path().join("man") }).unwrap();
        for page in ["tks.1", "tks-train.1", "tks-data-fetch.1"] {
            assert!(folder.path().join("man").join(page).is_file(), "{page}");
        }
    }
}
