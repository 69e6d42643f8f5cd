//! Downloading a data set's files: resumable, checked, and complete or absent.
//!
//! A file is written as `<name>.part` and renamed once its size and checksums are right. An interrupted
//! download is resumed by an HTTP range request the next time; a second process waits for the first. A file
//! that already has its final name is not downloaded again.

mod digest;
mod http;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::manifest::{Address, Checksum, Manifest, SourceFile, Stated};
use digest::Digests;

/// Download options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchOptions {
    /// A folder, or the http(s) address of one, that holds the files under their names in the manifest; it is
    /// used instead of the official addresses.
    pub mirror: Option<String>,
    /// Whether to download optional files too.
    pub optional: bool,
    /// Number of retries after a connection fails or is closed early; attempts that received at least 16 KiB
    /// do not count.
    pub retries: u32,
    /// Milliseconds to wait before the first retry, doubled each time.
    pub retry_wait_ms: u64,
    /// Seconds that one request may take in total; the bytes received are kept, and another request
    /// continues.
    pub request_timeout_s: u64,
    /// Seconds that one file may take in total; the bytes received are kept.
    pub total_timeout_s: u64,
    /// Minimum average speed of a connection in bytes per second over each
    /// [`speed_window_s`](Self::speed_window_s); a slower one is closed and counts as failed.
    pub min_bytes_per_s: u64,
    /// Seconds over which the speed is measured, and that a server may stay silent.
    pub speed_window_s: u64,
    /// Maximum number of bytes of a file for which the manifest states neither a size nor a maximum.
    pub max_bytes: u64,
}

/// An attempt that receives fewer bytes than this counts as failed; otherwise a server that closes each
/// connection after one byte would be retried forever.
const PROGRESS: u64 = 16 << 10;

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            mirror: None,
            optional: false,
            retries: 4,
            retry_wait_ms: 1000,
            request_timeout_s: 3600,
            total_timeout_s: 24 * 3600,
            min_bytes_per_s: 1024,
            speed_window_s: 60,
            max_bytes: 64 << 30,
        }
    }
}

impl FetchOptions {
    /// How long to wait after `failures` failures, at least one, before trying again.
    fn wait_after(&self, failures: u32) -> Duration {
        Duration::from_millis(self.retry_wait_ms.saturating_mul(1 << (failures - 1).min(6)))
    }
}

/// Progress of a file, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The current phase.
    pub stage: Stage,
    /// Number of bytes received.
    pub done: u64,
    /// Total number of bytes, if known.
    pub total: Option<u64>,
}

/// The phase of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Another process is downloading it; this one waits.
    Waiting,
    /// The part left by an earlier attempt is read for the checksum.
    Resuming,
    /// It is being downloaded.
    Fetching,
    /// The connection failed; it is being retried.
    Retrying,
}

/// A file that is now present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its path.
    pub path: PathBuf,
    /// How it was obtained.
    pub how: FetchOutcome,
}

/// How a file was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchOutcome {
    /// It already existed.
    AlreadyThere,
    /// It was downloaded, possibly in part by an earlier attempt.
    Fetched {
        /// Number of bytes from an earlier attempt.
        resumed_from: u64,
    },
}

/// The result of [`verify`] for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileState {
    /// It matches everything stated in the manifest, including a checksum.
    Good,
    /// It exists, with the stated size if one is stated, but no checksum is known.
    Unchecked,
    /// It does not exist.
    Missing,
    /// Its size differs.
    WrongSize {
        /// The value in the manifest.
        stated: u64,
        /// The actual value.
        found: u64,
    },
    /// Its checksum differs.
    WrongChecksum {
        /// The value in the manifest.
        stated: Checksum,
        /// The actual value.
        found: Checksum,
    },
}

impl std::fmt::Display for FileState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FileState::Good => write!(f, "as the manifest states"),
            FileState::Unchecked => {
                write!(f, "not checked: the manifest states no checksum for it, so it may be anything")
            }
            FileState::Missing => write!(f, "missing"),
            FileState::WrongSize { stated, found } => {
                write!(f, "wrong: it has {found} bytes where the manifest states {stated}")
            }
            FileState::WrongChecksum { stated, found } => {
                write!(f, "wrong: its checksum is {found} where the manifest states {stated}")
            }
        }
    }
}

/// Downloads the files listed in a manifest into `folder`, in order, and returns how each was obtained. Files
/// included in this project are skipped.
///
/// # Errors
/// [`DataError::ManualDownload`] for files that can only be downloaded manually, [`DataError::Http`],
/// [`DataError::Redirect`], [`DataError::Connection`], [`DataError::TooLong`], [`DataError::NoEnd`],
/// [`DataError::WrongSize`], [`DataError::WrongChecksum`], [`DataError::DiskFull`], [`DataError::Io`]. Files
/// and parts downloaded before the error are kept.
pub fn fetch(
    manifest: &Manifest,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Fetched>, DataError> {
    let wanted = |file: &&SourceFile| file.url != Address::Shipped && (options.optional || !file.optional);
    manifest
        .files
        .iter()
        .filter(wanted)
        .map(|file| fetch_file(file, &manifest.page, folder, options, progress))
        .collect()
}

/// Compares the files in `folder` with the sizes and checksums in a manifest.
///
/// # Errors
/// [`DataError::Io`] if a file cannot be read.
pub fn verify(manifest: &Manifest, folder: &Path) -> Result<Vec<(String, FileState)>, DataError> {
    manifest
        .files
        .iter()
        .map(|file| Ok((file.name.clone(), verify_file(file, &folder.join(&file.name))?)))
        .collect()
}

fn verify_file(file: &SourceFile, path: &Path) -> Result<FileState, DataError> {
    let found = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(FileState::Missing),
        Err(e) => return Err(DataError::io("open", path, e)),
    };
    if let Stated::Value(stated) = file.size
        && stated != found
    {
        return Ok(FileState::WrongSize { stated, found });
    }
    if file.checksums.is_empty() {
        return Ok(FileState::Unchecked);
    }
    let mut digests = Digests::new(&file.checksums);
    let mut source = File::open(path).map_err(|e| DataError::io("open", path, e))?;
    std::io::copy(&mut source, &mut digests).map_err(|e| DataError::io("read", path, e))?;
    Ok(match digests.finish() {
        Err((stated, found)) => FileState::WrongChecksum { stated, found },
        Ok(()) => FileState::Good,
    })
}

/// The source of a file.
enum Origin {
    Http(String),
    Folder(PathBuf),
}

impl Origin {
    fn name(&self) -> String {
        match self {
            Origin::Http(url) => url.clone(),
            Origin::Folder(path) => path.display().to_string(),
        }
    }
}

fn fetch_file(
    file: &SourceFile,
    page: &str,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Fetched, DataError> {
    let path = folder.join(&file.name);
    if already_there(file, &path)? {
        return Ok(Fetched { path, how: FetchOutcome::AlreadyThere });
    }
    let origin = match &options.mirror {
        Some(base) if base.starts_with("http://") || base.starts_with("https://") => {
            Origin::Http(format!("{}/{}", base.trim_end_matches('/'), file.name))
        }
        Some(base) => Origin::Folder(Path::new(base).join(&file.name)),
        None => match &file.url {
            Address::Http(url) => Origin::Http(url.clone()),
            _ => {
                return Err(DataError::ManualDownload {
                    file: file.name.clone(),
                    page: page.to_string(),
                    path,
                });
            }
        },
    };
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(|e| DataError::io("create", parent, e))?;
    let part = beside(&path, ".part");
    let handle = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(&part)
        .map_err(|e| DataError::io("open", &part, e))?;
    if handle.try_lock().is_err() {
        progress(Progress { file: &file.name, stage: Stage::Waiting, done: 0, total: file.size.known() });
        handle.lock().map_err(|e| DataError::io("lock", &part, e))?;
    }
    // The previous holder of the lock may have renamed the file: the one we have open is then the final file.
    if already_there(file, &path)? {
        return Ok(Fetched { path, how: FetchOutcome::AlreadyThere });
    }
    let begun = Instant::now();
    let mut download = Download { file, origin: &origin, options, progress, part: &part, handle, begun };
    let resumed_from = download.run()?;
    download.handle.sync_all().map_err(|e| DataError::io("write", &part, e))?;
    std::fs::rename(&part, &path).map_err(|e| DataError::io("rename to", &path, e))?;
    let _ = std::fs::remove_file(beside(&part, ".from"));
    Ok(Fetched { path, how: FetchOutcome::Fetched { resumed_from } })
}

fn already_there(file: &SourceFile, path: &Path) -> Result<bool, DataError> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(false) };
    match file.size {
        Stated::Value(stated) if stated != metadata.len() => Err(DataError::WrongSize {
            path: path.to_path_buf(),
            stated,
            found: metadata.len(),
            remedy: "move it away, so that it is fetched again",
        }),
        _ => Ok(true),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(end);
    name.into()
}

/// A file being downloaded.
struct Download<'a, 'p> {
    file: &'a SourceFile,
    origin: &'a Origin,
    options: &'a FetchOptions,
    progress: &'p mut dyn FnMut(Progress<'_>),
    part: &'a Path,
    handle: File,
    begun: Instant,
}

impl Download<'_, '_> {
    /// Downloads until the file is complete and checked; returns how many bytes were already there.
    fn run(&mut self) -> Result<u64, DataError> {
        let mut digests = Digests::new(&self.file.checksums);
        let resumed_from = self.resume(&mut digests)?;
        let mut done = resumed_from;
        let mut failures = 0;
        let total = loop {
            let before = done;
            match self.attempt(&mut done, &mut digests) {
                Ok(total) => break total,
                Err(error) if is_passing(&error) => {
                    failures = if done >= before.saturating_add(PROGRESS) { 1 } else { failures + 1 };
                    if failures > self.options.retries || self.is_late() {
                        return Err(error);
                    }
                    self.report(Stage::Retrying, done, self.file.size.known());
                    std::thread::sleep(self.options.wait_after(failures));
                }
                Err(error) => return Err(error),
            }
        };
        self.check_size(total)?;
        match digests.finish() {
            Ok(()) => Ok(resumed_from.min(done)),
            // The part left by an earlier attempt may be of a different file: start again from the beginning.
            Err(_) if resumed_from > 0 => {
                self.restart()?;
                self.run()
            }
            Err((stated, found)) => {
                self.restart()?;
                Err(DataError::WrongChecksum {
                    path: self.part.with_extension(""),
                    origin: self.origin.name(),
                    stated: stated.to_string(),
                    found: found.to_string(),
                })
            }
        }
    }

    /// Continues the part left by an earlier attempt, if it is known to belong to this file.
    fn resume(&mut self, digests: &mut Digests) -> Result<u64, DataError> {
        let there = self.handle.metadata().map_err(|e| DataError::io("read", self.part, e))?.len();
        let fits = !self.file.checksums.is_empty() || self.validator().is_some();
        if there == 0 {
            return Ok(0);
        }
        if !fits || self.file.size.known().is_some_and(|size| there > size) {
            self.restart()?;
            return Ok(0);
        }
        self.report(Stage::Resuming, there, self.file.size.known());
        self.handle.seek(SeekFrom::Start(0)).map_err(|e| DataError::io("read", self.part, e))?;
        let mut reader = (&self.handle).take(there);
        std::io::copy(&mut reader, digests).map_err(|e| DataError::io("read", self.part, e))
    }

    fn restart(&mut self) -> Result<(), DataError> {
        self.handle.set_len(0).map_err(|e| DataError::io("write", self.part, e))?;
        let _ = std::fs::remove_file(beside(self.part, ".from"));
        Ok(())
    }

    /// The server's validator for the file when the part was started, if it was started at this address.
    fn validator(&self) -> Option<String> {
        let text = std::fs::read_to_string(beside(self.part, ".from")).ok()?;
        let (url, validator) = text.split_once('\n')?;
        (url == self.origin.name() && !validator.is_empty()).then(|| validator.to_string())
    }

    /// Makes one request from `done` on; returns the total size of the file.
    fn attempt(&mut self, done: &mut u64, digests: &mut Digests) -> Result<u64, DataError> {
        if self.file.size.known() == Some(*done) {
            return Ok(*done);
        }
        // Without a checksum, only the server's validator shows that two pieces belong to the same file.
        if *done > 0 && self.file.checksums.is_empty() && self.validator().is_none() {
            self.begin_again(done, digests)?;
        }
        let (mut reader, start, total, has_end): (Box<dyn Read>, u64, Option<u64>, bool) = match self.origin {
            Origin::Folder(path) => {
                let mut source = File::open(path).map_err(|e| DataError::io("open", path, e))?;
                let total = source.metadata().map_err(|e| DataError::io("read", path, e))?.len();
                let start = if *done <= total { *done } else { 0 };
                source.seek(SeekFrom::Start(start)).map_err(|e| DataError::io("read", path, e))?;
                (Box::new(source), start, Some(total), true)
            }
            Origin::Http(url) => {
                let timeout = Duration::from_secs(self.options.request_timeout_s);
                let silence = Duration::from_secs(self.options.speed_window_s.max(1));
                let request = http::Request { url, name: &self.file.name, start: *done, timeout, silence };
                let known = self.validator();
                let answer = http::get(&request, known.as_deref())?;
                let changed = answer.start > 0
                    && known.zip(answer.validator.as_ref()).is_some_and(|(before, now)| before != *now);
                if changed {
                    self.begin_again(done, digests)?;
                    return Err(self.cut(
                        *done,
                        answer.total,
                        "the file was replaced on the server meanwhile",
                    ));
                }
                if let Some(validator) = &answer.validator {
                    // If this note is missing and no checksum is known, the download just starts again.
                    let _ = std::fs::write(beside(self.part, ".from"), format!("{url}\n{validator}"));
                }
                (answer.body, answer.start, answer.total, answer.has_end)
            }
        };
        if let Some(total) = total {
            self.check_size(total)?;
        }
        if start != *done {
            // The server sends the whole file, because it does not support ranges or because the file has
            // changed.
            self.begin_again(done, digests)?;
        }
        let verifiable = self.file.size.known().is_some() || !self.file.checksums.is_empty();
        if !has_end && !verifiable {
            return Err(DataError::NoEnd { origin: self.origin.name() });
        }
        self.copy(&mut *reader, done, total, digests)?;
        match total {
            Some(total) if *done != total => Err(self.cut(*done, Some(total), "the connection was cut")),
            _ => Ok(*done),
        }
    }

    /// Discards the bytes received so far.
    fn begin_again(&mut self, done: &mut u64, digests: &mut Digests) -> Result<(), DataError> {
        self.handle.set_len(0).map_err(|e| DataError::io("write", self.part, e))?;
        *digests = Digests::new(&self.file.checksums);
        *done = 0;
        Ok(())
    }

    fn cut(&self, done: u64, total: Option<u64>, message: impl Into<String>) -> DataError {
        DataError::Connection { origin: self.origin.name(), done, total, message: message.into() }
    }

    /// Whether the time limit for the whole file has passed.
    fn is_late(&self) -> bool {
        self.begun.elapsed() >= Duration::from_secs(self.options.total_timeout_s)
    }

    fn too_long(&self) -> DataError {
        let is_stated = self.file.max_size.is_some();
        DataError::TooLong { origin: self.origin.name(), limit: self.limit(), is_stated }
    }

    /// The most bytes of the file that are downloaded.
    fn limit(&self) -> u64 {
        self.file.size.known().or(self.file.max_size).unwrap_or(self.options.max_bytes)
    }

    fn copy(
        &mut self,
        reader: &mut dyn Read,
        done: &mut u64,
        total: Option<u64>,
        digests: &mut Digests,
    ) -> Result<(), DataError> {
        let mut chunk = vec![0; 1 << 17];
        let most = total.or(self.file.size.known());
        let limit = self.limit();
        if total.is_some_and(|total| total > limit) {
            return Err(self.too_long());
        }
        let window = Duration::from_secs(self.options.speed_window_s.max(1));
        let (mut since, mut bytes) = (Instant::now(), 0);
        self.report(Stage::Fetching, *done, most);
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.cut(*done, total, e.to_string())),
            };
            self.handle.write_all(&chunk[..count]).map_err(|e| {
                match DataError::io("write", self.part, e) {
                    DataError::DiskFull { path, .. } => DataError::DiskFull { path, needed: most },
                    other => other,
                }
            })?;
            digests.update(&chunk[..count]);
            *done += count as u64;
            bytes += count as u64;
            if since.elapsed() >= window {
                if bytes < self.options.min_bytes_per_s.saturating_mul(window.as_secs()) {
                    let least = self.options.min_bytes_per_s;
                    let seconds = window.as_secs();
                    let message = format!("fewer than {least} bytes a second came over {seconds} s");
                    return Err(self.cut(*done, total, message));
                }
                (since, bytes) = (Instant::now(), 0);
            }
            if self.is_late() {
                let seconds = self.options.total_timeout_s;
                return Err(self.cut(*done, total, format!("the file took more than {seconds} s")));
            }
            if self.file.size.known().is_none() && *done > limit {
                // No part of it is worth keeping.
                self.restart()?;
                return Err(self.too_long());
            }
            if most.is_some_and(|most| *done > most) {
                return self.check_size(*done);
            }
            self.report(Stage::Fetching, *done, most);
        }
    }

    fn check_size(&self, found: u64) -> Result<(), DataError> {
        match self.file.size {
            Stated::Value(stated) if stated != found => Err(DataError::WrongSize {
                path: self.origin.name().into(),
                stated,
                found,
                remedy: "the publisher may have replaced it; try another mirror, and compare with its page",
            }),
            _ => Ok(()),
        }
    }

    fn report(&mut self, stage: Stage, done: u64, total: Option<u64>) {
        (self.progress)(Progress { file: &self.file.name, stage, done, total });
    }
}

/// Whether a retry may help.
fn is_passing(error: &DataError) -> bool {
    match error {
        DataError::Connection { .. } => true,
        DataError::Http { status, .. } => *status >= 500 || *status == 429,
        _ => false,
    }
}
