//! A run's folder and its files:
//!
//! | file | contents |
//! |---|---|
//! | `config.toml` | the whole configuration with defaults written out, and a checksum that reveals truncation |
//! | `environment.json` | program, machine, command |
//! | `task.json` | the network's task: classes, input, time steps |
//! | `network.json` | the network's layers, parameters and operations |
//! | `epochs.csv`, `epochs.jsonl` | one line per epoch |
//! | `batches.csv` | one line per batch |
//! | `log.jsonl` | everything that was printed |
//! | `evaluation.json` | the last evaluation: accuracy by steps, confusion, firing rates |
//! | `checkpoints/` | `last.safetensors`, `best.safetensors`, and `previous.safetensors` until training has continued from `last` |
//! | `tensorboard/` | event files |
//! | `report/` | `index.html` and its images |
//! | `*.damaged` | damaged files that could be recreated |

mod kept_config;
mod lock;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tks_data::whole_file;

pub use lock::RunLock;

use crate::checkpoint::CheckpointKind;
use crate::config::Config;
use crate::data::Task;
use kept_config::stored;

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// The files and folders created by this process, if it created the run.
    made: Option<Made>,
    /// The lock of a run that was created but whose training has not begun.
    lock: Arc<Mutex<Option<RunLock>>>,
}

/// The files and folders to remove if a run never begins.
#[derive(Debug, Clone)]
struct Made {
    folder: bool,
    config: String,
}

/// The configuration.
pub const CONFIG: &str = "config.toml";

/// The network's task, as JSON.
pub const TASK: &str = "task.json";

/// The environment of the run.
pub const ENVIRONMENT: &str = "environment.json";

/// The last evaluation.
pub const EVALUATION: &str = "evaluation.json";

/// The network's layers, parameters and operations.
pub const NETWORK: &str = "network.json";

/// More runs of one name than this are a mistake.
const MOST_RUNS: usize = 100_000;

impl RunFolder {
    /// Creates a new folder for a run of this configuration: `<folder>/<name>`, with the first free number
    /// appended if it exists.
    ///
    /// # Errors
    /// A failed write.
    pub fn create(config: &Config) -> Result<Self> {
        let parent = &config.output.folder;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        for number in 1..MOST_RUNS {
            let name = if number == 1 { config.name.clone() } else { format!("{}-{number}", config.name) };
            let path = parent.join(&name);
            match std::fs::create_dir(&path) {
                Ok(()) => return RunFolder::begin(path, true, config),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        bail!("{} holds {MOST_RUNS} runs named {}; give another `name`", parent.display(), config.name)
    }

    /// Creates the folder `path` for a run of this configuration; it must be empty or not exist yet.
    ///
    /// # Errors
    /// A folder that contains a run or anything else, or in which another process is starting a run; a failed
    /// write.
    pub fn create_at(path: &Path, config: &Config) -> Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let is_new = match std::fs::create_dir(path) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                ensure_free(path)?;
                false
            }
            Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
        };
        RunFolder::begin(path.to_path_buf(), is_new, config)
    }

    /// Creates the run in an existing folder: the lock first, then the configuration.
    fn begin(path: PathBuf, is_new: bool, config: &Config) -> Result<Self> {
        let lock = RunLock::take(&path)?;
        // Another process may have used the folder between the check and the lock.
        ensure_free(&path)?;
        whole_file::remove_unfinished(&path)?;
        let text = stored(config)?;
        if !whole_file::write_new(&path.join(CONFIG), text.as_bytes())? {
            return Err(holds_a_run(&path));
        }
        let made = Some(Made { folder: is_new, config: text });
        Ok(RunFolder { path, made, lock: Arc::new(Mutex::new(Some(lock))) })
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// A folder that does not exist or contains no run.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            let path = path.display();
            bail!(
                "{path} is a file, where the folder of a run is wanted; `tks train {path}` makes a run of a configuration"
            );
        }
        if !path.join(CONFIG).is_file() {
            let what = if path.is_dir() { "holds no run (it has no config.toml)" } else { "is not there" };
            bail!(
                "the folder {} {what}; `tks train` makes runs, in `runs` unless told otherwise",
                path.display()
            );
        }
        Ok(RunFolder { path: path.to_path_buf(), made: None, lock: Arc::default() })
    }

    /// Removes the files of a run that this process created and whose training never began, after an error
    /// found late.
    pub fn discard(self) {
        let Some(made) = &self.made else { return };
        // The current holder of the lock continues the run, so it is kept.
        let Ok(_lock) = self.lock() else { return };
        let config = std::fs::read_to_string(self.file(CONFIG));
        if self.checkpoint(CheckpointKind::Last).exists() || config.ok().as_ref() != Some(&made.config) {
            return;
        }
        for name in [TASK, ENVIRONMENT, CONFIG, lock::LOCK] {
            // Files that cannot be removed remain: the original error is the one to report.
            let _ = std::fs::remove_file(self.file(name));
        }
        if made.folder {
            let _ = std::fs::remove_dir(&self.path);
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces the configuration.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub fn write_config(&self, config: &Config) -> Result<()> {
        Ok(whole_file::write(&self.file(CONFIG), stored(config)?.as_bytes())?)
    }

    /// The task of its network.
    ///
    /// # Errors
    /// A run that never began.
    pub fn task(&self) -> Result<Task> {
        let resume = || format!("`tks resume {}` writes it", self.path.display());
        let task = self.read_json(TASK).with_context(resume)?;
        task.with_context(|| {
            format!("{} has no {TASK}: its training never began; {}", self.path.display(), resume())
        })
    }

    /// The path of a checkpoint.
    pub fn checkpoint(&self, which: CheckpointKind) -> PathBuf {
        which.path(&self.path)
    }

    /// Prevents other processes from training this run, and removes half-written files of a killed process.
    ///
    /// # Errors
    /// Another process is training it.
    pub fn lock(&self) -> Result<RunLock> {
        // The lock's holder cannot have panicked while moving an `Option`.
        let own = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lock) = own {
            return Ok(lock);
        }
        let lock = RunLock::take(&self.path)?;
        whole_file::remove_unfinished(&self.path)?;
        Ok(lock)
    }

    /// Writes a JSON file atomically.
    ///
    /// # Errors
    /// A full disk or a failed write.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        Ok(whole_file::write(&self.file(name), &bytes)?)
    }

    /// Reads a JSON file; `None` if it does not exist.
    ///
    /// # Errors
    /// A file that cannot be read or has other contents.
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

    /// Like [`RunFolder::read_json`], for a file that can be recreated: a damaged one is set aside with a
    /// warning.
    ///
    /// # Errors
    /// A file that can be neither read nor renamed.
    pub fn read_or_set_aside<T: DeserializeOwned>(&self, name: &str) -> Result<(Option<T>, Option<String>)> {
        match self.read_json(name) {
            Ok(value) => Ok((value, None)),
            Err(error) if !self.file(name).is_file() => Err(error),
            Err(error) => Ok((None, Some(self.set_aside(name, &format!("{error:#}"))?))),
        }
    }

    /// Sets aside folders in the place of files that can be recreated, and returns warnings about them.
    ///
    /// # Errors
    /// A folder that cannot be renamed.
    pub fn set_folders_aside(&self) -> Result<Vec<String>> {
        let own = [TASK, ENVIRONMENT, EVALUATION, NETWORK].into_iter().chain(tables::NAMES);
        let folders = own.filter(|name| self.file(name).is_dir());
        folders
            .map(|name| self.set_aside(name, &format!("{} is a folder", self.file(name).display())))
            .collect()
    }

    /// Sets a file aside and returns a warning about it.
    fn set_aside(&self, name: &str, why: &str) -> Result<String> {
        let aside = whole_file::set_aside(&self.file(name))?;
        Ok(format!("{why}; it is set aside as {}", aside.display()))
    }

    /// The warnings of the training so far, each once. Unreadable logs and lines are ignored.
    pub fn warnings(&self) -> Vec<String> {
        let text = std::fs::read(self.file("log.jsonl")).unwrap_or_default();
        let mut warnings: Vec<String> = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let warning = message["text"].as_str().filter(|_| message["event"] == "warning");
            if let Some(warning) = warning.filter(|warning| !warnings.iter().any(|known| known == warning)) {
                warnings.push(warning.to_string());
            }
        }
        warnings
    }
}

/// Checks that a folder contains nothing except the remains of a killed start.
fn ensure_free(path: &Path) -> Result<()> {
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let names: Vec<_> = entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<_>>()?;
    if names.iter().any(|name| name == CONFIG) {
        return Err(holds_a_run(path));
    }
    let is_empty_lock = || std::fs::metadata(path.join(lock::LOCK)).is_ok_and(|lock| lock.len() == 0);
    let is_own = |name: &std::ffi::OsString| {
        whole_file::is_unfinished(name) || (name == lock::LOCK && is_empty_lock())
    };
    let foreign = names.iter().find(|name| !is_own(name));
    ensure!(
        foreign.is_none(),
        "{} is not empty and holds no run (it has {}); name a folder that is empty or not there yet",
        path.display(),
        foreign.map_or_else(String::new, |name| name.display().to_string())
    );
    Ok(())
}

fn holds_a_run(path: &Path) -> anyhow::Error {
    let path = path.display();
    anyhow::anyhow!("{path} holds a run already; `tks resume {path}` goes on with it, or name another folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn config(folder: &Path) -> Config {
        let mut config = Config { name: "a".into(), ..Config::default() };
        config.output.folder = folder.to_path_buf();
        config
    }

    #[test]
    fn runs_of_one_name_are_numbered_and_keep_their_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.hardware.threads = 2;
        let first = RunFolder::create(&config).unwrap();
        let second = RunFolder::create(&config).unwrap();
        assert_eq!(first.path(), folder.path().join("a"));
        assert_eq!(second.path(), folder.path().join("a-2"));
        assert_eq!(RunFolder::open(second.path()).unwrap().config().unwrap(), config);
        assert!(RunFolder::open(folder.path()).unwrap_err().to_string().contains("holds no run"));
        assert!(RunFolder::create_at(first.path(), &config).unwrap_err().to_string().contains("holds a run"));
    }

    #[test]
    fn all_cores_are_kept_as_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.hardware.threads = 0;
        let run = RunFolder::create(&config).unwrap();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(run.config().unwrap().hardware.threads, cores);
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_with_anything_in_it_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for foreign in ["notes.txt", "environment.json", "task.json", ".lock"] {
            let path = folder.path().join("mine");
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(foreign), "precious").unwrap();
            let said = RunFolder::create_at(&path, &config(folder.path())).unwrap_err().to_string();
            assert!(said.contains("is not empty") && said.contains(foreign), "{said}");
            assert_eq!(names(&path), [foreign]);
            assert_eq!(std::fs::read_to_string(path.join(foreign)).unwrap(), "precious");
            std::fs::remove_dir_all(&path).unwrap();
        }
    }

    #[test]
    fn what_a_killed_start_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(".unfinished-x"), "half").unwrap();
        std::fs::write(path.join(".lock"), "").unwrap();
        let run = RunFolder::create_at(&path, &config(folder.path())).unwrap();
        assert_eq!(names(&path), [".lock", "config.toml"]);
        run.discard();
        assert!(names(&path).is_empty(), "the folder was there before");
    }

    #[test]
    fn a_run_that_never_began_is_taken_away_with_all_that_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run");
        let run = RunFolder::create_at(&path, &config(folder.path())).unwrap();
        run.write_json(TASK, &1).unwrap();
        run.clone().discard();
        assert!(!path.exists() && folder.path().join("deep").exists());
        // A run that was opened is not removed by a process that did not create it.
        let run = RunFolder::create_at(&path, &config(folder.path())).unwrap();
        RunFolder::open(&path).unwrap().discard();
        assert!(run.file(CONFIG).exists());
        // Neither is one that continues meanwhile, or whose configuration belongs to another.
        let training = RunFolder::open(&path).unwrap();
        drop(run.lock().unwrap());
        let lock = training.lock().unwrap();
        run.clone().discard();
        assert!(run.file(CONFIG).exists());
        drop(lock);
        std::fs::write(run.file(CONFIG), "name = \"other\"").unwrap();
        run.clone().discard();
        assert!(run.file(CONFIG).exists());
    }

    #[test]
    fn of_many_that_start_a_run_in_one_folder_one_does() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let path = folder.path().join("run");
            let config = config(folder.path());
            let start = || RunFolder::create_at(&path, &config);
            let results = std::thread::scope(|scope| {
                let threads = [scope.spawn(start), scope.spawn(start), scope.spawn(start)];
                threads.map(|thread| thread.join().unwrap())
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
            assert_eq!(names(&path), [".lock", "config.toml"]);
            drop(results);
            std::fs::remove_dir_all(&path).unwrap();
        }
    }

    #[test]
    fn a_damaged_file_that_can_be_made_again_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&config(folder.path())).unwrap();
        assert_eq!(run.read_or_set_aside::<Vec<u8>>(EVALUATION).unwrap(), (None, None));
        run.write_json(EVALUATION, &[1, 2]).unwrap();
        assert_eq!(run.read_or_set_aside(EVALUATION).unwrap(), (Some(vec![1, 2]), None));
        std::fs::write(run.file(EVALUATION), [0; 40]).unwrap();
        let (value, warning) = run.read_or_set_aside::<Vec<u8>>(EVALUATION).unwrap();
        assert_eq!(value, None);
        let warning = warning.unwrap();
        assert!(warning.contains("is damaged") && warning.contains("evaluation.json.damaged"), "{warning}");
        assert!(!run.file(EVALUATION).exists() && run.file("evaluation.json.damaged").exists());
    }
}
