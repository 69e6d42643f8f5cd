//! Loading of weights from files, including the peers'.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Tensor;

use crate::error::{Mismatch, ModelError};

/// A tensor that torch's batch norm stores beside its statistics; no peer uses it with a fixed momentum.
const UNUSED: &str = ".num_batches_tracked";

/// Loads tensors by name; see [`crate::SpikingModel::load_safetensors`].
pub(crate) fn load_safetensors(
    own: &[(String, Tensor)],
    path: &Path,
    strict: bool,
) -> Result<Mismatch, ModelError> {
    let tensors = Tensor::read_safetensors(path).map_err(|error| {
        let problem = error.to_string();
        ModelError::Read { path: path.to_owned(), problem }
    })?;
    let mut file: BTreeMap<_, _> = tensors.into_iter().filter(|(name, _)| !name.ends_with(UNUSED)).collect();
    let mut mismatch = Mismatch::default();
    let mut pairs = Vec::new();
    for (name, own) in own {
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
