//! The configuration stored with a run. Its first line contains a checksum of the others, so that a truncated
//! or changed file is not mistaken for the run's configuration, with defaults for missing values.

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use tks_data::toml_file::Item;

use super::{CONFIG, ENVIRONMENT, RunFolder};
use crate::basis::hex;
use crate::config::Config;

/// The beginning of the first line.
const SUM: &str = "# SHA-256 of the lines below: ";

/// The last table written: a file without it is truncated.
const LAST_TABLE: &str = "output";

/// The configuration as stored with a run. A number of threads of "one per core" is replaced by this
/// machine's number of cores, so that the run keeps it on another machine.
pub(super) fn stored(config: &Config) -> Result<String> {
    let mut config = config.clone();
    config.hardware.threads = config.hardware.thread_count();
    let text = config.to_toml()?;
    Ok(format!("{SUM}{}\n{text}", hex(Sha256::new_with_prefix(&text))))
}

/// Whether a file is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It is unchanged.
    Whole,
    /// It has no checksum: it was written by an older version.
    Unknown,
    /// It is changed.
    Other,
}

fn judge(text: &str) -> Kept {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.trim_end().strip_prefix(SUM) {
        Some(sum) if sum == hex(Sha256::new_with_prefix(rest)) => Kept::Whole,
        Some(_) => Kept::Other,
        // An unreadable file is reported by its reader.
        None if Item::parse(text, 0).is_ok_and(|whole| whole.get(LAST_TABLE).is_none()) => Kept::Other,
        None => Kept::Unknown,
    }
}

impl RunFolder {
    /// The configuration with which the run was created.
    ///
    /// # Errors
    /// As [`RunFolder::config_with`].
    pub fn config(&self) -> Result<Config> {
        self.config_with(&[])
    }

    /// The configuration with which the run was created, with overrides from a command line.
    ///
    /// # Errors
    /// A file that was truncated, damaged or edited; an invalid override.
    pub fn config_with(&self, changes: &[String]) -> Result<Config> {
        let path = self.file(CONFIG);
        let text = tks_data::regular_file::read_to_string(&path)?;
        if judge(&text) == Kept::Other {
            let (file, run) = (path.display(), self.path.display());
            bail!(
                "{file} is not the configuration that the run was going with: it was cut short, damaged or changed. Put \
                 back a copy of it; {} has the command that the run was started with, and `tks train` of the same makes \
                 the same file. If it was you who changed it: put it back and give the change by `tks resume {run} --set \
                 KEY=VALUE`, or keep it with all its tables and without its first line, `{SUM}...`",
                self.file(ENVIRONMENT).display()
            );
        }
        Config::parse_of_run(&text, &path, changes)
    }

    /// The warning for a configuration that cannot be verified as complete.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn config_warning(&self) -> Result<Option<String>> {
        let path = self.file(CONFIG);
        let text = tks_data::regular_file::read_to_string(&path)?;
        Ok((judge(&text) == Kept::Unknown).then(|| {
            format!(
                "{} has no sum in its first line by which it would be known to be whole: what it lacks has its default",
                path.display()
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_known_wherever_it_is() {
        let text = stored(&Config::default()).unwrap();
        assert_eq!(judge(&text), Kept::Whole);
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            assert_eq!(judge(&text[..end]), Kept::Other, "{end}");
        }
        let (_, rest) = text.split_once('\n').unwrap();
        assert_eq!(judge(rest), Kept::Unknown);
        assert_eq!(judge(&rest[..rest.len() * 2 / 3]), Kept::Other);
        assert_eq!(judge(&text.replace("epochs = 300", "epochs = 30")), Kept::Other);
    }
}
