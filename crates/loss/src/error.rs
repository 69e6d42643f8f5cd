//! What can go wrong.

use tch::{Device, Kind};
use tks_registry::RegistryError;

/// Why a loss could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// A setting is out of its range.
    #[error("loss.{key} = {value}: {expected} is needed")]
    Config {
        /// The setting, as in the configuration: `tks.tau`.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is needed, in words.
        expected: &'static str,
    },
    /// The epoch lies outside of the training.
    #[error(
        "epoch {epoch} of {epochs}: the weight of the labels is defined from epoch 0 to {epochs}, of at least 1"
    )]
    Progress {
        /// The epoch, counted from 0.
        epoch: usize,
        /// How many there are.
        epochs: usize,
    },
    /// A tensor has another shape than is needed.
    #[error("`{tensor}` has the shape {actual:?}, but {expected} is needed")]
    Shape {
        /// The tensor's name.
        tensor: &'static str,
        /// Its shape.
        actual: Vec<i64>,
        /// What is needed, in words.
        expected: String,
    },
    /// A tensor has another kind of element than is needed.
    #[error("`{tensor}` is of the kind {actual:?}, but {expected} is needed")]
    Kind {
        /// The tensor's name.
        tensor: &'static str,
        /// Its kind.
        actual: Kind,
        /// What is needed, in words.
        expected: &'static str,
    },
    /// Logits and target are on different devices.
    #[error("the target is on {target:?}, the logits on {logits:?}: move one of them")]
    Device {
        /// Where the logits are.
        logits: Device,
        /// Where the target is.
        target: Device,
    },
    /// A label is no class.
    #[error("the label of sample {sample} is {label}, but the network has {classes} classes (0 to {})", classes - 1)]
    Label {
        /// Index in the batch.
        sample: i64,
        /// The label.
        label: i64,
        /// Classes, `K`.
        classes: i64,
    },
    /// A soft label is no distribution over the classes.
    #[error("the soft label of sample {sample} is no distribution: {what}")]
    SoftLabel {
        /// Index in the batch.
        sample: i64,
        /// What is wrong with it.
        what: String,
    },
    /// A logit is infinite or not a number.
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
        /// How many logits are not finite.
        count: usize,
    },
    /// A name that is not that of a loss.
    #[error("`loss`: {0}")]
    Name(String),
    /// A loss cannot be added by this name.
    #[error(transparent)]
    Register(#[from] RegistryError),
    /// What a loss of a program's own says.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// libtorch refused.
    #[error("libtorch: {0}")]
    Libtorch(String),
}

impl From<tch::TchError> for LossError {
    fn from(error: tch::TchError) -> Self {
        LossError::Libtorch(error.to_string())
    }
}
