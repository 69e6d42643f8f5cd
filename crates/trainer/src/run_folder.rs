//! A run's folder: what lies in it, by name.
//!
//! | file | what it holds |
//! |---|---|
//! | `config.toml` | the whole configuration, defaults written out |
//! | `environment.json` | program, machine, command |
//! | `task.json` | what the network is for: classes, input, time steps |
//! | `network.json` | the network's layers, parameters and operations |
//! | `epochs.csv`, `epochs.jsonl` | a line an epoch |
//! | `batches.csv` | a line a batch |
//! | `log.jsonl` | everything that was printed |
//! | `evaluation.json` | the last evaluation: accuracy by steps, confusion, firing rates |
//! | `checkpoints/` | `last.safetensors`, `best.safetensors` |
//! | `tensorboard/` | event files |
//! | `report/` | `index.html` and its pictures |

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tks_report::EpochRecord;

use crate::checkpoint::{RunLock, Which};
use crate::config::Config;
use crate::data::Task;

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

const CONFIG: &str = "config.toml";

/// What the network is for, as JSON.
pub const TASK: &str = "task.json";

/// More runs of one name than this are a mistake.
const MOST_RUNS: usize = 100_000;

impl RunFolder {
    /// A new folder for a run of this configuration: `<folder>/<name>`, or with the first free number behind it.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn create(config: &Config) -> Result<Self> {
        let parent = &config.output.folder;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        for number in 1..MOST_RUNS {
            let name = if number == 1 { config.name.clone() } else { format!("{}-{number}", config.name) };
            match std::fs::create_dir(parent.join(&name)) {
                Ok(()) => return RunFolder::begin(parent.join(name), config),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot create {}", parent.join(name).display()));
                }
            }
        }
        bail!("{} holds {MOST_RUNS} runs named {}; give another `name`", parent.display(), config.name)
    }

    /// The folder `path` for a run of this configuration: it must not hold a run yet.
    ///
    /// # Errors
    /// A folder that holds one; a disk that refuses.
    pub fn create_at(path: &Path, config: &Config) -> Result<Self> {
        if path.join(CONFIG).exists() {
            bail!(
                "{} holds a run already; `tks resume` goes on with it, or name another folder",
                path.display()
            );
        }
        std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        RunFolder::begin(path.to_path_buf(), config)
    }

    fn begin(path: PathBuf, config: &Config) -> Result<Self> {
        let run = RunFolder { path };
        tks_data::whole_file::write(&run.path.join(CONFIG), config.to_toml()?.as_bytes())?;
        Ok(run)
    }

    /// An existing run.
    ///
    /// # Errors
    /// A folder that is not there or holds no run.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(CONFIG).is_file() {
            let what = if path.is_dir() { "holds no run (it has no config.toml)" } else { "is not there" };
            bail!(
                "the folder {} {what}; `tks train` makes runs, in `runs` unless told otherwise",
                path.display()
            );
        }
        Ok(RunFolder { path: path.to_path_buf() })
    }

    /// Takes the folder away again where its training never began, for a mistake that is found too late.
    pub fn discard(self) {
        if self.checkpoint(Which::Last).exists() {
            return;
        }
        for name in [CONFIG, TASK, "environment.json", ".lock"] {
            // What cannot be taken away stays: the mistake itself is what the user has to hear of.
            let _ = std::fs::remove_file(self.file(name));
        }
        let _ = std::fs::remove_dir(&self.path);
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The configuration that it was made with.
    ///
    /// # Errors
    /// A file that was changed to what is none.
    pub fn config(&self) -> Result<Config> {
        Config::read(&self.file(CONFIG), &[])
    }

    /// What its network is for.
    ///
    /// # Errors
    /// A run that never began.
    pub fn task(&self) -> Result<Task> {
        let task = self.read_json(TASK)?;
        task.with_context(|| format!("{} has no {TASK}: its training never began", self.path.display()))
    }

    /// A checkpoint's file.
    pub fn checkpoint(&self, which: Which) -> PathBuf {
        which.path(&self.path)
    }

    /// Keeps other processes from training this run.
    ///
    /// # Errors
    /// Another one does.
    pub fn lock(&self) -> Result<RunLock> {
        RunLock::take(&self.path)
    }

    /// Writes a JSON file, whole or not at all.
    ///
    /// # Errors
    /// A disk that is full or refuses.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        Ok(tks_data::whole_file::write(&self.file(name), &bytes)?)
    }

    /// A JSON file; `None` if it is not there.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.file(name);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let value = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged", path.display()))?;
                Ok(Some(value))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// The epochs so far.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn epochs(&self) -> Result<Vec<EpochRecord>> {
        let path = self.file("epochs.jsonl");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let parse = |(number, line): (usize, &str)| {
            serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), number + 1))
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// Drops what was recorded at or after this position: a run that goes on from there records it again.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn rewind(&self, epoch: usize, batch: usize) -> Result<()> {
        let keep = |name: &str, header: bool, keep: &dyn Fn(&str) -> bool| -> Result<()> {
            let path = self.file(name);
            let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
            let whole =
                text.lines().enumerate().filter(|(number, line)| (header && *number == 0) || keep(line));
            let kept: String = whole.map(|(_, line)| format!("{line}\n")).collect();
            Ok(tks_data::whole_file::write(&path, kept.as_bytes())?)
        };
        let numbers = |line: &str| -> Option<(usize, usize)> {
            let mut fields = line.split(',');
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        // What is written counts from 1.
        keep("batches.csv", true, &|line| numbers(line).is_some_and(|at| at <= (epoch + 1, batch)))?;
        keep("epochs.csv", true, &|line| {
            line.split(',').next().and_then(|first| first.parse::<usize>().ok()).is_some_and(|at| at <= epoch)
        })?;
        keep("epochs.jsonl", false, &|line| {
            serde_json::from_str::<EpochRecord>(line).is_ok_and(|record| record.epoch <= epoch)
        })
    }

    /// Adds a line to a file, with `header` before the first.
    ///
    /// # Errors
    /// A disk that is full or refuses.
    pub fn append(&self, name: &str, header: Option<&str>, line: &str) -> Result<()> {
        let path = self.file(name);
        let open = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = open.with_context(|| format!("cannot write {}", path.display()))?;
        let is_new = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let mut text = String::new();
        if let (true, Some(header)) = (is_new, header) {
            text = format!("{header}\n");
        }
        text += line;
        text.push('\n');
        // One write a line, so that a reader never sees half of one.
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::EpochMeters;

    fn config(folder: &Path) -> Config {
        let mut config = Config { name: "a".into(), ..Config::default() };
        config.output.folder = folder.to_path_buf();
        config
    }

    #[test]
    fn runs_of_one_name_are_numbered_and_keep_their_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let first = RunFolder::create(&config).unwrap();
        let second = RunFolder::create(&config).unwrap();
        assert_eq!(first.path(), folder.path().join("a"));
        assert_eq!(second.path(), folder.path().join("a-2"));
        assert_eq!(RunFolder::open(second.path()).unwrap().config().unwrap(), config);
        assert!(RunFolder::open(folder.path()).unwrap_err().to_string().contains("holds no run"));
        assert!(RunFolder::create_at(first.path(), &config).unwrap_err().to_string().contains("holds a run"));
    }

    #[test]
    fn a_run_that_goes_on_forgets_what_it_will_record_again() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&config(folder.path())).unwrap();
        for epoch in 1..=3 {
            for batch in 1..=2 {
                run.append("batches.csv", Some("epoch,batch,loss"), &format!("{epoch},{batch},0.5")).unwrap();
            }
            let record = EpochMeters::default().record(epoch, 0.1);
            run.append("epochs.jsonl", None, &serde_json::to_string(&record).unwrap()).unwrap();
            run.append("epochs.csv", Some("epoch,loss"), &format!("{epoch},0.5")).unwrap();
        }
        // The second epoch's first batch was the last that the checkpoint has seen.
        run.rewind(1, 1).unwrap();
        let text = |name: &str| std::fs::read_to_string(run.file(name)).unwrap();
        assert_eq!(text("batches.csv"), "epoch,batch,loss\n1,1,0.5\n1,2,0.5\n2,1,0.5\n");
        assert_eq!(text("epochs.csv"), "epoch,loss\n1,0.5\n");
        assert_eq!(run.epochs().unwrap().len(), 1);
    }
}
