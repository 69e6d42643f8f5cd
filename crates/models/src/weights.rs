//! Weights from files, the peers' among them.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Tensor;

use crate::error::{Mismatch, ModelError};
use crate::network::Network;

/// What torch's batch norm stores beside its statistics, and no peer uses with a fixed momentum.
const UNUSED: &str = ".num_batches_tracked";

impl Network {
    /// Loads the network's tensors from a safetensors file, such as a peer's state dictionary. All are checked before
    /// the first is changed.
    ///
    /// Strict: every tensor of the network has to be in the file and the other way round (but for batch norm's
    /// `num_batches_tracked`). Else what the two have in common is loaded. Returns what the two do not have in common:
    /// nothing where strict.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a file that is none, [`ModelError::Weights`] where tensors are of another shape or,
    /// where strict, missing or surplus.
    pub fn load_safetensors(&self, path: impl AsRef<Path>, strict: bool) -> Result<Mismatch, ModelError> {
        let path = path.as_ref();
        let tensors = Tensor::read_safetensors(path).map_err(|error| {
            let problem = error.to_string();
            ModelError::Read { path: path.to_owned(), problem }
        })?;
        let mut file: BTreeMap<_, _> =
            tensors.into_iter().filter(|(name, _)| !name.ends_with(UNUSED)).collect();
        let mut mismatch = Mismatch::default();
        let mut pairs = Vec::new();
        for (name, own) in &self.tensors {
            match file.remove(name) {
                None => mismatch.missing.push(name.clone()),
                Some(other) if other.size() != own.size() => {
                    mismatch.shapes.push((name.clone(), own.size(), other.size()));
                }
                Some(other) => pairs.push((own, other)),
            }
        }
        mismatch.surplus = file.into_keys().collect();
        if !mismatch.shapes.is_empty() || (strict && !mismatch.is_empty()) {
            return Err(ModelError::Weights { path: path.to_owned(), mismatch });
        }
        tch::no_grad(|| -> Result<(), ModelError> {
            for (own, other) in pairs {
                own.shallow_clone().f_copy_(&other)?;
            }
            Ok(())
        })?;
        Ok(mismatch)
    }
}
