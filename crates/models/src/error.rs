//! Errors.

use std::path::PathBuf;

use tks_autograd::AutogradError;
use tks_neuron::NeuronError;
use tks_registry::RegistryError;
use tks_torch::BoxError;

/// Why a network could not be built, run or loaded with weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The error of a layer or an observer defined by a program.
    #[error(transparent)]
    Other(BoxError),
    /// A value of the configuration is out of range or inconsistent with others.
    #[error("`{field}`: {problem}")]
    Config {
        /// The configuration field, such as `layers[3].conv.kernel`.
        field: String,
        /// What is wrong with it and how to fix it.
        problem: String,
    },
    /// The input does not have the shape for which the network was built.
    #[error("the input has the shape {actual:?}, but the network takes {expected}")]
    Input {
        /// Its shape.
        actual: Vec<i64>,
        /// The expected shape, in words.
        expected: String,
    },
    /// The network does not support the requested way of execution.
    #[error("{0}")]
    Execution(String),
    /// The variable store already has a tensor of this name under the path.
    #[error("the variable store already has `{0}`: build each network under a path of its own")]
    NameTaken(String),
    /// A file of weights could not be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A file's tensors do not match the network's.
    #[error("{} does not fit the network: {}", path.display(), mismatch)]
    Weights {
        /// The file.
        path: PathBuf,
        /// The differences.
        mismatch: Mismatch,
    },
    /// A neuron parameter is out of range.
    #[error("`neuron`: {0}")]
    Neuron(#[from] NeuronError),
    /// An operation failed.
    #[error(transparent)]
    Autograd(#[from] AutogradError),
}

impl From<RegistryError> for ModelError {
    fn from(error: RegistryError) -> Self {
        let kind = match &error {
            RegistryError::NotAWord { kind, .. } | RegistryError::Taken { kind, .. } => *kind,
            _ => "name",
        };
        crate::config::config_error(kind, error.to_string())
    }
}

impl From<tch::TchError> for ModelError {
    fn from(error: tch::TchError) -> Self {
        ModelError::Autograd(error.into())
    }
}

/// The differences between a file's tensors and a network's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Tensors of the network that are missing in the file.
    pub missing: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub surplus: Vec<String>,
    /// Name, shape in the network, shape in the file.
    pub shapes: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Mismatch {
    /// Whether there are no differences.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.shapes.is_empty()
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        for (what, names) in [("missing", &self.missing), ("surplus", &self.surplus)] {
            if !names.is_empty() {
                parts.push(format!("{what}: {}", names.join(", ")));
            }
        }
        if !self.shapes.is_empty() {
            let shapes = self.shapes.iter().map(|(name, network, file)| {
                format!("{name} is {network:?} in the network and {file:?} in the file")
            });
            parts.push(format!("other shapes: {}", shapes.collect::<Vec<_>>().join(", ")));
        }
        f.write_str(&parts.join("; "))
    }
}
