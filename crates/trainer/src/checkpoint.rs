//! Checkpoints: everything that a training needs to go on as if it had never stopped, in one safetensors file.
//!
//! Tensors are named `network.<name>`, `optimizer.<name>.<moment>` and `ema.<name>`; the rest is JSON in the file's
//! metadata. Random numbers need no state: every batch begins with a seed made of the run's seed, the epoch and the
//! batch's number.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use safetensors::tensor::{Dtype, Metadata, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::metrics::EpochMeters;

/// Raised when a checkpoint's meaning changes.
const FORMAT: u32 = 1;

/// Where in its training a run is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The epoch that is being made, from 0; as many as there are when the training has ended.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Steps that the optimiser has made.
    pub steps: u64,
    /// The best accuracy so far, 0 to 1, and its epoch.
    pub best: Option<Best>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// What the epoch's batches have added up so far.
    pub meters: EpochMeters,
}

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Its accuracy on the test part, 0 to 1.
    pub accuracy: f64,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where the training was.
    pub position: Position,
    /// All tensors by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
}

/// What stands in the file's metadata.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    position: Position,
}

const KEY: &str = "tks";

impl Checkpoint {
    /// Writes a checkpoint, whole or not at all: whatever happens meanwhile, the file at `path` is the old one or the
    /// new one.
    ///
    /// # Errors
    /// A disk that is full or refuses.
    pub fn write(path: &Path, position: &Position, tensors: &[(String, Tensor)]) -> Result<()> {
        let header = Header { format: FORMAT, position: position.clone() };
        write_tensors(path, tensors, HashMap::from([(KEY.to_string(), serde_json::to_string(&header)?)]))
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A file that is missing, cut short, damaged or of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        let (tensors, metadata) = read_tensors(path)?;
        let Some(text) = metadata.get(KEY) else {
            bail!("{} is no checkpoint of this program: its metadata has no `{KEY}`", path.display());
        };
        let header: Header = serde_json::from_str(text)
            .with_context(|| format!("{}: its metadata is not that of a checkpoint", path.display()))?;
        ensure!(
            header.format == FORMAT,
            "{} has the format {}, this program reads {FORMAT}; use the program's version that wrote it",
            path.display(),
            header.format
        );
        Ok(Checkpoint { position: header.position, tensors })
    }

    /// The tensors whose names begin with `prefix.`, by what follows.
    pub fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.tensors
            .iter()
            .filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?.strip_prefix('.')?, tensor)))
    }
}

/// Writes tensors with metadata to a safetensors file, whole or not at all.
///
/// # Errors
/// A disk that is full or refuses; a kind of tensor that is neither `f32`, `bf16` nor `i64`.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: HashMap<String, String>,
) -> Result<()> {
    let mut held = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let (dtype, size) = match tensor.kind() {
            Kind::Float => (Dtype::F32, 4),
            Kind::BFloat16 => (Dtype::BF16, 2),
            Kind::Int64 => (Dtype::I64, 8),
            kind => bail!("`{name}` is of the kind {kind:?}, which is not saved"),
        };
        let mut bytes = vec![0u8; tensor.numel() * size];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        let shape: Vec<usize> = tensor.size().into_iter().map(|length| length as usize).collect();
        held.push((name.clone(), dtype, shape, bytes));
    }
    let views = held
        .iter()
        .map(|(name, dtype, shape, bytes)| Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let bytes = safetensors::serialize(views, Some(metadata)).context("cannot write tensors")?;
    tks_data::whole_file::write(path, &bytes)?;
    Ok(())
}

/// All tensors of a safetensors file, and its metadata.
///
/// # Errors
/// A file that is missing, cut short or damaged; a kind of tensor that is not known here.
pub fn read_tensors(path: &Path) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let damaged = || {
        format!(
            "{} is cut short or damaged ({} bytes); take another checkpoint of the run, or start anew",
            path.display(),
            bytes.len()
        )
    };
    let (_, header): (usize, Metadata) = SafeTensors::read_metadata(&bytes).with_context(damaged)?;
    let file = SafeTensors::deserialize(&bytes).with_context(damaged)?;
    let mut tensors = HashMap::new();
    for (name, view) in file.iter() {
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::I64 => Kind::Int64,
            dtype => bail!("{}: `{name}` is of the kind {dtype:?}, which is not read", path.display()),
        };
        let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
        tensors.insert(name.to_string(), Tensor::f_from_data_size(view.data(), &shape, kind)?);
    }
    Ok((tensors, header.metadata().clone().unwrap_or_default()))
}

/// Where a run keeps its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Last,
    /// That of the epoch with the best accuracy.
    Best,
}

impl Which {
    /// The file within the run's folder.
    pub fn path(self, run: &Path) -> PathBuf {
        run.join("checkpoints").join(match self {
            Which::Last => "last.safetensors",
            Which::Best => "best.safetensors",
        })
    }
}

/// A file that only one process holds: a run that is being trained.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Holds the run in `folder` until this is dropped, or the process ends in whatever way.
    ///
    /// # Errors
    /// Another process trains it.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(".lock");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!("another process trains the run in {}; wait for it, or end it", folder.display())
            }
            // A file system without locks: then nobody can be kept out.
            Err(std::fs::TryLockError::Error(_)) => Ok(RunLock { _file: file }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(String, Tensor)> {
        vec![
            (
                "network.a.weight".into(),
                Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2]).transpose(0, 1),
            ),
            ("network.scalar".into(), Tensor::from(2.5f32)),
            ("optimizer.a.weight.momentum".into(), Tensor::from_slice(&[0.1f32])),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints/last.safetensors");
        let best = Some(Best { epoch: 2, accuracy: 0.1 + 0.2 });
        let position = Position { epoch: 3, batch: 7, steps: 99, best, seconds: 1.5, ..Position::default() };
        Checkpoint::write(&path, &position, &sample()).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.position, position);
        assert_eq!(read.tensors.len(), 3);
        for (name, tensor) in sample() {
            assert_eq!(read.tensors[&name], tensor, "{name}");
        }
        let mut names: Vec<_> = read.of("network").map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["a.weight", "scalar"]);
    }

    #[test]
    fn a_cut_checkpoint_is_an_error_wherever_it_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        Checkpoint::write(&path, &Position::default(), &sample()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 4, 8, 50, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = format!("{:#}", Checkpoint::read(&path).unwrap_err());
            assert!(error.contains("last.safetensors") && error.contains("cut short"), "{length}: {error}");
        }
        let other = HashMap::new();
        write_tensors(&path, &sample(), other).unwrap();
        assert!(format!("{:#}", Checkpoint::read(&path).unwrap_err()).contains("no checkpoint"));
    }

    #[test]
    fn a_run_is_trained_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let lock = RunLock::take(folder.path()).unwrap();
        assert!(RunLock::take(folder.path()).is_err());
        drop(lock);
        RunLock::take(folder.path()).unwrap();
    }
}
