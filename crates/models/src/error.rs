//! What can go wrong.

use std::path::PathBuf;

use tks_autograd::AutogradError;
use tks_neuron::NeuronError;
use tks_registry::RegistryError;
use tks_torch::BoxError;

/// Why a network could not be built, run or filled with weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// What a layer or an observer of a program's own says.
    #[error(transparent)]
    Other(BoxError),
    /// A value of the configuration is out of its range, or does not go with the others.
    #[error("`{field}`: {problem}")]
    Config {
        /// The configuration's field, such as `layers[3].conv.kernel`.
        field: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The input does not have the shape that the network was built for.
    #[error("the input has the shape {actual:?}, but the network takes {expected}")]
    Input {
        /// Its shape.
        actual: Vec<i64>,
        /// What is needed, in words.
        expected: String,
    },
    /// The network cannot be run in the way that was asked for.
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
        /// Why not.
        problem: String,
    },
    /// A file's tensors are not those of the network.
    #[error("{} does not fit the network: {}", path.display(), mismatch)]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        mismatch: Mismatch,
    },
    /// A neuron's parameters are out of range.
    #[error("`neuron`: {0}")]
    Neuron(#[from] NeuronError),
    /// An operation refused.
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

/// How a file's tensors differ from a network's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Tensors that the network has and the file lacks.
    pub missing: Vec<String>,
    /// Tensors that the file has and the network lacks.
    pub surplus: Vec<String>,
    /// Name, shape in the network, shape in the file.
    pub shapes: Vec<(String, Vec<i64>, Vec<i64>)>,
}

impl Mismatch {
    /// Whether nothing differs.
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
