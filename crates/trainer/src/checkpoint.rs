//! Checkpoints: everything needed to resume a training as if it had never stopped, in one safetensors file.
//!
//! Tensors are named `network.<name>`, `optimizer.<name>.<moment>` and `ema.<name>`; the rest is JSON in the
//! file's metadata: the run's state, its position, the conditions on which its numbers depend, and a digest
//! of the tensors that identifies files that belong together. Random numbers need no state: the seed of every
//! batch is derived from the run's seed, the epoch and the batch's number.
//!
//! Only finite numbers are written and read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tch::{Kind, Tensor};

use crate::basis::{Basis, hex};
use crate::metrics::EpochMeters;
use crate::run_state::{Progress, RunState};

/// Increased when the meaning of a checkpoint changes.
const FORMAT: u32 = 2;

/// Larger numbers of epochs, batches or steps than this indicate damage.
const MOST: u64 = 1 << 53;

/// The position of a run in its training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The current epoch, from 0; equal to the number of epochs when the training has ended.
    pub epoch: usize,
    /// Number of completed batches of the epoch.
    pub batch: usize,
    /// Number of optimiser steps made.
    pub steps: u64,
    /// The best accuracy so far, 0 to 1, and its epoch.
    pub best: Option<Best>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Sums over the completed batches of the epoch.
    pub meters: EpochMeters,
}

/// The best epoch so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Its accuracy on the test part, 0 to 1.
    pub accuracy: f64,
    /// The digest of the tensors at its end: `best.safetensors` belongs to this epoch if its digest is equal.
    pub digest: String,
}

impl Position {
    /// Checks that the numbers are possible for a training.
    ///
    /// # Errors
    /// Names the first number that is not.
    pub fn check(&self) -> Result<()> {
        for (name, value) in
            [("epoch", self.epoch as u64), ("batch", self.batch as u64), ("steps", self.steps)]
        {
            ensure!(value < MOST, "`{name}` is {value}, which no training reaches");
        }
        ensure!(self.seconds.is_finite() && self.seconds >= 0.0, "`seconds` is {:e}", self.seconds);
        if let Some(best) = &self.best {
            ensure!(
                best.epoch < self.epoch,
                "its best epoch is number {}, but {} are done",
                best.epoch.saturating_add(1),
                self.epoch
            );
            ensure!((0.0..=1.0).contains(&best.accuracy), "its best accuracy is {}", best.accuracy);
        }
        self.meters.check()
    }

    /// The progress in epochs.
    pub fn progress(&self) -> Progress {
        Progress {
            epochs: self.epoch,
            within_epoch: self.batch > 0,
            best: self.best.as_ref().map(|best| best.epoch),
        }
    }
}

/// The contents of a checkpoint besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: u32,
    /// Whether epochs remain, or only the final steps.
    pub state: RunState,
    /// The position of the training.
    pub position: Position,
    /// The conditions on which its numbers depend.
    pub basis: Basis,
    /// The digest of the tensors.
    pub digest: String,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// Whether epochs remain, or only the final steps.
    pub state: RunState,
    /// The position of the training.
    pub position: Position,
    /// The conditions on which its numbers depend.
    pub basis: Basis,
    /// The digest of the tensors.
    pub digest: String,
    /// All tensors by name, on the CPU.
    pub tensors: HashMap<String, Tensor>,
}

const KEY: &str = "tks";

impl Header {
    /// Reads the contents of a checkpoint besides its tensors.
    ///
    /// # Errors
    /// A file that is missing, truncated, damaged or of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        Header::parse(path, &WeightFile::read(path)?.metadata()?)
    }

    fn parse(path: &Path, metadata: &HashMap<String, String>) -> Result<Self> {
        let Some(text) = metadata.get(KEY) else {
            bail!("{} is not a checkpoint of this program: its metadata has no `{KEY}`", path.display());
        };
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let damaged = || format!("{}: its metadata is not that of a checkpoint", path.display());
        // The metadata is not written by hand, so the parser's message would not help.
        let Version { format } = serde_json::from_str(text).map_err(|_| anyhow!(damaged()))?;
        ensure!(
            format == FORMAT,
            "{} has the format {format}, this program reads {FORMAT}; use the program's version that wrote it",
            path.display()
        );
        let header: Header = serde_json::from_str(text).map_err(|_| anyhow!(damaged()))?;
        header.position.check().with_context(damaged)?;
        Ok(header)
    }

    fn metadata(&self) -> Result<HashMap<String, String>> {
        Ok(HashMap::from([(KEY.to_string(), serde_json::to_string(self)?)]))
    }
}

/// The data from which a checkpoint is written.
#[derive(Debug)]
pub struct Draft<'a> {
    /// Whether epochs remain, or only the final steps.
    pub state: RunState,
    /// The position of the training.
    pub position: &'a Position,
    /// The conditions on which its numbers depend.
    pub basis: &'a Basis,
    /// All tensors by name.
    pub tensors: &'a [(String, Tensor)],
    /// Whether these tensors belong to the position's best epoch.
    pub is_best: bool,
}

impl Draft<'_> {
    /// Writes a checkpoint atomically: at any time, the file at `path` is either the old one or the new one.
    /// Returns the digest of its tensors.
    ///
    /// # Errors
    /// A non-finite number, with the name of its tensor; a full disk or a failed write.
    pub fn write(&self, path: &Path) -> Result<String> {
        let held = held(self.tensors)?;
        let digest = digest(&views(&held)?);
        let mut position = self.position.clone();
        if let (Some(best), true) = (&mut position.best, self.is_best) {
            best.digest.clone_from(&digest);
        }
        position.check()?;
        let (state, basis) = (self.state, self.basis.clone());
        let header = Header { format: FORMAT, state, position, basis, digest: digest.clone() };
        write_views(path, views(&held)?, header.metadata()?)?;
        Ok(digest)
    }
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A file that is missing, truncated, damaged or of another kind; a file with a non-finite number.
    pub fn read(path: &Path) -> Result<Self> {
        let file = WeightFile::read(path)?;
        let header = Header::parse(path, &file.metadata()?)?;
        let tensors = file.tensors()?;
        ensure!(
            header.digest == digest(&file.views()?),
            "{} is damaged: its tensors are not those that were written",
            path.display()
        );
        let Header { state, position, basis, digest, .. } = header;
        Ok(Checkpoint { state, position, basis, digest, tensors })
    }

    /// Changes the state of the checkpoint at `path`; the rest is unchanged.
    ///
    /// # Errors
    /// As [`Header::read`]; a full disk or a failed write.
    pub fn set_state(path: &Path, state: RunState) -> Result<()> {
        let file = WeightFile::read(path)?;
        let header = Header { state, ..Header::parse(path, &file.metadata()?)? };
        write_views(path, file.views()?, header.metadata()?)
    }

    /// The tensors whose names begin with `prefix.`, with the rest of their names.
    pub fn of<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.tensors
            .iter()
            .filter_map(move |(name, tensor)| Some((name.strip_prefix(prefix)?.strip_prefix('.')?, tensor)))
    }
}

/// The bytes of a tensor on the CPU.
struct Held {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn held(tensors: &[(String, Tensor)]) -> Result<Vec<Held>> {
    let hold = |(name, tensor): &(String, Tensor)| {
        ensure_finite(name, tensor)?;
        let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        let (dtype, size) = match tensor.kind() {
            Kind::Float => (Dtype::F32, 4),
            Kind::BFloat16 => (Dtype::BF16, 2),
            Kind::Int64 => (Dtype::I64, 8),
            kind => bail!("`{name}` is of the kind {kind:?}, which is not saved"),
        };
        let mut bytes = vec![0u8; tensor.numel() * size];
        tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
        let shape = tensor.size().into_iter().map(|length| length as usize).collect();
        Ok(Held { name: name.clone(), dtype, shape, bytes })
    };
    tensors.iter().map(hold).collect()
}

/// Checks that all values of all tensors are finite.
///
/// # Errors
/// Names the first tensor with other values.
pub fn check_finite(tensors: &[(String, Tensor)]) -> Result<()> {
    tensors.iter().try_for_each(|(name, tensor)| ensure_finite(name, tensor))
}

/// Whether all values of a tensor are finite.
///
/// # Errors
/// Errors from libtorch.
pub fn is_finite(tensor: &Tensor) -> Result<bool> {
    Ok(!tensor.is_floating_point() || tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

fn ensure_finite(name: &str, tensor: &Tensor) -> Result<()> {
    if is_finite(tensor)? {
        return Ok(());
    }
    let finite = tensor.f_isfinite()?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    let (wrong, all) = (tensor.numel() as i64 - finite, tensor.numel());
    bail!("`{name}` has values that are not finite (NaN or infinite): {wrong} of {all}")
}

type Views<'a> = Vec<(String, TensorView<'a>)>;

fn views<'a>(held: &'a [Held]) -> Result<Views<'a>> {
    let view = |Held { name, dtype, shape, bytes }: &'a Held| -> Result<_, SafeTensorError> {
        Ok((name.clone(), TensorView::new(*dtype, shape.clone(), bytes)?))
    };
    Ok(held.iter().map(view).collect::<Result<_, _>>()?)
}

/// SHA-256 over the tensors in the order of their names, independent of the rest of the file.
fn digest(views: &Views<'_>) -> String {
    let mut order: Vec<_> = views.iter().collect();
    order.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hash = Sha256::new();
    for (name, view) in order {
        hash.update(format!("{name} {:?} {:?} ", view.dtype(), view.shape()));
        hash.update(view.data());
    }
    hex(hash)
}

fn write_views(path: &Path, views: Views<'_>, metadata: HashMap<String, String>) -> Result<()> {
    let bytes = safetensors::serialize(views, Some(metadata)).context("cannot write tensors")?;
    Ok(tks_data::whole_file::write(path, &bytes)?)
}

/// Writes tensors with metadata to a safetensors file, atomically.
///
/// # Errors
/// A non-finite number, with the name of its tensor; a full disk or a failed write; a tensor that is neither
/// `f32`, `bf16` nor `i64`.
pub fn write_tensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: HashMap<String, String>,
) -> Result<()> {
    write_views(path, views(&held(tensors)?)?, metadata)
}

/// Reads all tensors of a safetensors file and its metadata.
///
/// # Errors
/// A file that is missing, truncated or damaged; a non-finite number, with the name of its tensor; an
/// unsupported kind of tensor.
pub fn read_tensors(path: &Path) -> Result<(HashMap<String, Tensor>, HashMap<String, String>)> {
    let file = WeightFile::read(path)?;
    Ok((file.tensors()?, file.metadata()?))
}

/// The bytes of a safetensors file.
struct WeightFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl WeightFile {
    fn read(path: &Path) -> Result<Self> {
        let bytes = tks_data::regular_file::read(path)?;
        Ok(WeightFile { path: path.to_path_buf(), bytes })
    }

    fn damaged(&self) -> String {
        format!("{} is cut short or damaged ({} bytes)", self.path.display(), self.bytes.len())
    }

    fn metadata(&self) -> Result<HashMap<String, String>> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).with_context(|| self.damaged())?;
        Ok(header.metadata().clone().unwrap_or_default())
    }

    fn views(&self) -> Result<Views<'_>> {
        Ok(SafeTensors::deserialize(&self.bytes).with_context(|| self.damaged())?.tensors())
    }

    fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        let mut tensors = HashMap::new();
        for (name, view) in self.views()? {
            let kind = match view.dtype() {
                Dtype::F32 => Kind::Float,
                Dtype::F64 => Kind::Double,
                Dtype::F16 => Kind::Half,
                Dtype::BF16 => Kind::BFloat16,
                Dtype::I64 => Kind::Int64,
                dtype => {
                    bail!("{}: `{name}` is of the kind {dtype:?}, which is not read", self.path.display())
                }
            };
            let shape: Vec<i64> = view.shape().iter().map(|&length| length as i64).collect();
            let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?;
            ensure_finite(&name, &tensor).with_context(|| format!("{} is of no use", self.path.display()))?;
            tensors.insert(name, tensor);
        }
        Ok(tensors)
    }
}

/// The checkpoints that a run keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointKind {
    /// The newest.
    Last,
    /// The epoch with the best accuracy.
    Best,
    /// The one before the newest, until training has continued from the newest.
    Previous,
}

impl CheckpointKind {
    /// The path of the file within the run's folder.
    pub fn path(self, run: &Path) -> PathBuf {
        run.join("checkpoints").join(match self {
            CheckpointKind::Last => "last.safetensors",
            CheckpointKind::Best => "best.safetensors",
            CheckpointKind::Previous => "previous.safetensors",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::Fingerprint;

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

    fn basis() -> Basis {
        let none = Fingerprint {
            samples: 0,
            names: "".into(),
            labels: "".into(),
            sizes: "".into(),
            values: "".into(),
        };
        Basis {
            threads: 1,
            device: "cpu".into(),
            instruction_set: "avx2".into(),
            program: "1".into(),
            libtorch: "2".into(),
            recipe: "3".into(),
            train: none.clone(),
            test: none,
        }
    }

    fn write(
        path: &Path,
        position: &Position,
        tensors: &[(String, Tensor)],
        is_best: bool,
    ) -> Result<String> {
        let state = RunState::Training;
        Draft { state, position, basis: &basis(), tensors, is_best }.write(path)
    }

    fn best() -> Best {
        Best { epoch: 2, accuracy: 0.1 + 0.2, digest: "of another".into() }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints/last.safetensors");
        let position = Position {
            epoch: 3,
            batch: 7,
            steps: 99,
            best: Some(best()),
            seconds: 1.5,
            ..Position::default()
        };
        let digest = write(&path, &position, &sample(), false).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!((&read.position, read.state, &read.basis), (&position, RunState::Training, &basis()));
        assert_eq!(read.digest, digest);
        assert_eq!(read.tensors.len(), 3);
        for (name, tensor) in sample() {
            assert_eq!(read.tensors[&name], tensor, "{name}");
        }
        let mut names: Vec<_> = read.of("network").map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["a.weight", "scalar"]);
    }

    #[test]
    fn a_state_is_changed_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let position = Position { epoch: 3, best: Some(best()), ..Position::default() };
        let digest = write(&path, &position, &sample(), true).unwrap();
        let state = RunState::Finished { early: true };
        Checkpoint::set_state(&path, state).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!((read.state, &read.digest, read.tensors.len()), (state, &digest, 3));
        assert_eq!(read.position.best.unwrap().digest, digest, "they are the best epoch's");
        assert_eq!(Header::read(&path).unwrap().state, state);
    }

    #[test]
    fn the_digest_is_of_names_shapes_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let of = |tensors: &[(String, Tensor)]| write(&path, &Position::default(), tensors, false).unwrap();
        let digest = of(&sample());
        let mut turned = sample();
        turned.reverse();
        assert_eq!(of(&turned), digest);
        let mut named = sample();
        named[1].0 = "network.scalax".into();
        let mut shaped = sample();
        shaped[0].1 = shaped[0].1.reshape([4, 1]);
        let mut valued = sample();
        valued[2].1 = Tensor::from_slice(&[0.2f32]);
        for other in [named, shaped, valued] {
            assert_ne!(of(&other), digest);
        }
    }

    #[test]
    fn a_cut_checkpoint_is_an_error_wherever_it_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        write(&path, &Position::default(), &sample(), false).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 4, 8, 50, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = format!("{:#}", Checkpoint::read(&path).unwrap_err());
            assert!(error.contains("last.safetensors") && error.contains("cut short"), "{length}: {error}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let error = format!("{:#}", Checkpoint::read(&path).unwrap_err());
        assert!(error.contains("not those that were written"), "{error}");
        write_tensors(&path, &sample(), HashMap::new()).unwrap();
        assert!(format!("{:#}", Checkpoint::read(&path).unwrap_err()).contains("not a checkpoint"));
    }

    #[test]
    fn what_is_not_finite_is_not_written_and_the_old_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        write(&path, &Position::default(), &sample(), false).unwrap();
        let before = std::fs::read(&path).unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 2] {
                let mut tensors = sample();
                tensors[at].1 = Tensor::from_slice(&[1.0, value, 2.0]);
                let error = format!("{:#}", write(&path, &Position::default(), &tensors, false).unwrap_err());
                assert!(error.contains(&tensors[at].0) && error.contains("1 of 3"), "{error}");
            }
        }
        let mut position = Position::default();
        position.meters.loss = f64::NAN;
        assert!(write(&path, &position, &sample(), false).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_not_finite_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        write_tensors(&path, &sample(), HashMap::new()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = format!("{:#}", read_tensors(&path).unwrap_err());
        assert!(
            error.contains("weights.safetensors") && error.contains("values that are not finite"),
            "{error}"
        );
    }

    #[test]
    fn positions_that_no_training_has_are_refused() {
        let good = Position { epoch: 3, best: Some(best()), ..Position::default() };
        good.check().unwrap();
        let beyond = Best { epoch: 3, ..best() };
        for (wrong, expected) in [
            (Position { epoch: usize::MAX, ..good.clone() }, "`epoch`"),
            (Position { batch: usize::MAX, ..good.clone() }, "`batch`"),
            (Position { steps: u64::MAX, ..good.clone() }, "`steps`"),
            (Position { seconds: -1.0, ..good.clone() }, "`seconds`"),
            (Position { seconds: f64::INFINITY, ..good.clone() }, "`seconds`"),
            (Position { best: Some(beyond), ..good.clone() }, "best epoch is number 4"),
            (Position { best: Some(Best { accuracy: 2.0, ..best() }), ..good.clone() }, "best accuracy"),
        ] {
            let error = format!("{:#}", wrong.check().unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
