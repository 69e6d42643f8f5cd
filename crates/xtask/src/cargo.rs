//! Running cargo from a program that cargo runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::libtorch;

/// Runs `cargo` with `arguments` in the folder `workspace`, as a shell would.
pub(crate) fn run(workspace: &Path, arguments: &[&str]) -> Result<()> {
    let shown = format!("cargo {}", arguments.join(" "));
    println!("$ {shown}");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace).args(arguments);
    // Variables that cargo set for this program would look like a change to build scripts that track them.
    for (name, value) in std::env::vars_os() {
        let set_by_cargo = name.to_string_lossy().starts_with("CARGO_PKG_")
            || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            || (name == "LIBTORCH" && value == *libtorch::link_of(workspace).as_os_str());
        if set_by_cargo {
            command.env_remove(&name);
        }
    }
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed");
    }
    Ok(())
}
