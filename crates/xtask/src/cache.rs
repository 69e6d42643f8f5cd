//! Downloads of set-up, stored once per user: each item is a folder in the platform's cache folder that
//! appears atomically.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Suffix of a folder that is being filled. Only the holder of the lock creates or removes one.
const PARTIAL: &str = ".partial";

/// The cache folder `tks` of this user.
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/tks`, else `~/.cache/tks`.
    pub(crate) fn of_user() -> Result<Self> {
        let absolute =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .context("no cache folder: set HOME or XDG_CACHE_HOME to an absolute path")?;
        Ok(Self { folder: base.join("tks") })
    }

    #[cfg(test)]
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The path of the item `name`, if it exists.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the item `name`. If `is_whole` does not accept the existing one, `fill` creates it in a
    /// temporary folder that is then renamed. `room` is the number of bytes that filling takes.
    pub(crate) fn get(
        &self,
        name: &str,
        room: u64,
        is_whole: impl Fn(&Path) -> bool,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let item = self.path(name);
        if is_whole(&item) {
            return Ok(item);
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let _lock = self.lock()?;
        // Another set-up may have created it while this one was waiting.
        if is_whole(&item) {
            return Ok(item);
        }
        let partial = self.path(&format!("{name}{PARTIAL}"));
        self.remove_leftovers()?;
        self.check_room(room)?;
        fs::create_dir(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        if let Err(error) = fill(&partial) {
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        if item.exists() {
            fs::remove_dir_all(&item).with_context(|| format!("cannot replace {}", item.display()))?;
        }
        fs::rename(&partial, &item).with_context(|| format!("cannot name {}", item.display()))?;
        Ok(item)
    }

    fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!("another set-up is at work; waiting for it");
                file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        Ok(file)
    }

    /// Removes the remains of an interrupted set-up.
    fn remove_leftovers(&self) -> Result<()> {
        let entries =
            fs::read_dir(&self.folder).with_context(|| format!("cannot read {}", self.folder.display()))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(PARTIAL) {
                let path = entry.path();
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    fn check_room(&self, room: u64) -> Result<()> {
        let Some(free) = free_bytes(&self.folder) else { return Ok(()) };
        if free < room {
            bail!(
                "{} has {} MB of free disk, but {} MB are needed meanwhile; make room, or set XDG_CACHE_HOME to \
                 a folder on another disk",
                self.folder.display(),
                free / 1_000_000,
                room / 1_000_000
            );
        }
        Ok(())
    }
}

/// Free disk space at `folder`, if `df` provides it.
fn free_bytes(folder: &Path) -> Option<u64> {
    let answer = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let kibibytes: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(folder: &Path) -> bool {
        folder.join("done").is_file()
    }

    fn fill(folder: &Path) -> Result<()> {
        fs::write(folder.join("done"), "")?;
        Ok(())
    }

    #[test]
    fn an_item_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("tks"));
        let item = cache.get("item", 1, whole, fill).unwrap();
        assert!(whole(&item));
        let again = cache.get("item", 1, whole, |_| bail!("filled twice")).unwrap();
        assert_eq!(again, item);
    }

    #[test]
    fn a_failed_or_interrupted_one_leaves_nothing_that_looks_whole() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        let failed = cache.get("item", 1, whole, |folder| {
            fill(folder)?;
            bail!("no network")
        });
        assert!(failed.is_err() && !cache.path("item").exists());
        assert!(!cache.path("item.partial").exists());

        // as left by a killed set-up: the next one removes it and starts again
        let leftover = cache.path("item.partial");
        fs::create_dir(&leftover).unwrap();
        fs::write(leftover.join("junk"), "").unwrap();
        let item = cache.get("item", 1, whole, fill).unwrap();
        assert!(whole(&item) && !item.join("junk").exists() && !leftover.exists());
    }

    #[test]
    fn a_broken_item_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        fs::create_dir(cache.path("item")).unwrap();
        fs::write(cache.path("item").join("half"), "").unwrap();
        let item = cache.get("item", 1, whole, fill).unwrap();
        assert!(whole(&item) && !item.join("half").exists());
    }

    #[test]
    fn two_at_once_fill_it_once() {
        let dir = tempfile::tempdir().unwrap();
        let fills = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = Cache::at(dir.path().to_owned());
                    let slow = |folder: &Path| {
                        fills.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(100));
                        fill(folder)
                    };
                    assert!(whole(&cache.get("item", 1, whole, slow).unwrap()));
                });
            }
        });
        assert_eq!(fills.into_inner(), 1);
    }

    #[test]
    fn a_full_disk_is_told_before_the_download() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().to_owned());
        let error = cache.get("item", u64::MAX, whole, |_| bail!("started")).unwrap_err().to_string();
        assert!(error.contains("free disk"), "{error}");
    }
}
