//! Errors.

use tch::{Device, Kind};
use tks_registry::RegistryError;

/// Why a loss could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A setting is out of range.
    #[error("loss.{key} = {value}: {expected} is needed")]
    Config {
        /// The setting, as in the configuration: `tks.tau`.
        key: &'static str,
        /// Its value.
        value: String,
        /// The valid values, in words.
        expected: &'static str,
    },
    /// The epoch is not within the training.
    #[error(
        "epoch {epoch} of {epochs}: the weight of the labels is defined from epoch 0 to {epochs}, of at least 1"
    )]
    Progress {
        /// The epoch, counted from 0.
        epoch: usize,
        /// The total number of epochs.
        epochs: usize,
    },
    /// A tensor has the wrong shape.
    #[error("`{tensor}` has the shape {actual:?}, but {expected} is needed")]
    Shape {
        /// The tensor's name.
        tensor: &'static str,
        /// Its shape.
        actual: Vec<i64>,
        /// The expected shape, in words.
        expected: String,
    },
    /// A tensor has the wrong kind of element.
    #[error("`{tensor}` is of the kind {actual:?}, but {expected} is needed")]
    Kind {
        /// The tensor's name.
        tensor: &'static str,
        /// Its kind.
        actual: Kind,
        /// The expected kind, in words.
        expected: &'static str,
    },
    /// Logits and target are on different devices.
    #[error("the target is on {target:?}, the logits on {logits:?}: move one of them")]
    Device {
        /// The device of the logits.
        logits: Device,
        /// The device of the target.
        target: Device,
    },
    /// A label is not a valid class.
    #[error("the label of sample {sample} is {label}, but the network has {classes} classes (0 to {})", classes - 1)]
    Label {
        /// Index in the batch.
        sample: i64,
        /// The label.
        label: i64,
        /// Number of classes, `K`.
        classes: i64,
    },
    /// A soft label is not a distribution over the classes.
    #[error("the soft label of sample {sample} is no distribution: {what}")]
    SoftLabel {
        /// Index in the batch.
        sample: i64,
        /// What is wrong with it.
        what: String,
    },
    /// A logit is infinite or NaN.
    #[error(
        "logits[{step}, {sample}, {class}] is {value}: step, sample and class of the first of {count} \
             that are not finite"
    )]
    NotFinite {
        /// Time step.
        step: i64,
        /// Index in the batch.
        sample: i64,
        /// Class.
        class: i64,
        /// The logit.
        value: f64,
        /// Number of non-finite logits.
        count: usize,
    },
    /// An unknown name of a loss.
    #[error("`loss`: {0}")]
    Name(String),
    /// A loss cannot be added under this name.
    #[error(transparent)]
    Register(#[from] RegistryError),
    /// The error of a loss defined by a program.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// An error from libtorch.
    #[error("libtorch: {0}")]
    Libtorch(String),
}

impl From<tch::TchError> for LossError {
    fn from(error: tch::TchError) -> Self {
        LossError::Libtorch(error.to_string())
    }
}
