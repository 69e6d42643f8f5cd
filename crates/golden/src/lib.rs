//! Golden cases: values computed by the peers themselves (SpikingJelly, BrainCog, snnTorch, tonic, the TKS
//! reference script), which the crates of the workspace are tested against.
//!
//! A folder of golden cases holds `index.json`, a list of cases, and one safetensors file per case. The
//! folder is `datasets/golden` of this repository unless the environment variable `TKS_GOLDEN_DIR` names
//! another. The feature `neurons` adds neuron cases in terms of `tks-neuron`; without it, this crate does not
//! depend on the crates that it tests.
//!
//! ```
//! let surrogates = tks_golden::cases_of_kind("surrogate")?;
//! for case in &surrogates {
//!     let u = case.tensor("u")?;
//!     assert_eq!(u.shape(), case.tensor("grad")?.shape(), "{}", case.file);
//! }
//! # Ok::<(), tks_golden::GoldenError>(())
//! ```

#[cfg(feature = "neurons")]
mod neuron;
#[cfg(feature = "neurons")]
mod neurons;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

#[cfg(feature = "neurons")]
pub use neuron::{NeuronCase, surrogate_of};
#[cfg(feature = "neurons")]
pub use neurons::test_neurons;

/// Environment variable that names another folder of golden cases.
pub const GOLDEN_DIR_VARIABLE: &str = "TKS_GOLDEN_DIR";

/// Errors in reading golden cases.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// `index.json` is not a list of cases.
    #[error("{path} is not a list of golden cases: {source}")]
    Index {
        /// The index file.
        path: PathBuf,
        /// The error in the JSON.
        source: serde_json::Error,
    },
    /// A case's safetensors file does not match the index.
    #[error("{path}: {what}")]
    Tensor {
        /// The safetensors file.
        path: PathBuf,
        /// What is missing or unreadable.
        what: String,
    },
    /// A case's attribute is missing or does not have the requested type.
    #[error("{file}: attribute `{key}` {what}")]
    Attribute {
        /// The case's file name.
        file: String,
        /// The attribute.
        key: String,
        /// What is wrong with it.
        what: String,
    },
}

/// One golden case: its entry in `index.json` and the folder that holds its tensors.
#[derive(Debug, Clone, Deserialize)]
pub struct GoldenCase {
    /// File name of the case's tensors, relative to that folder.
    pub file: String,
    /// The kind of case: `surrogate`, `neuron`, `tks`, `tet`, `network`, `event_representation`.
    pub kind: String,
    /// The library that computed the values, with its version.
    #[serde(default)]
    pub peer: String,
    #[serde(flatten)]
    attributes: BTreeMap<String, Value>,
    #[serde(skip)]
    folder: PathBuf,
}

impl GoldenCase {
    /// The attribute as text; `None` if the case has none of this name or it is `null`.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.attributes.get(key)? {
            Value::Null => None,
            Value::String(text) if text == "null" => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The attribute as a number; `None` if it is absent or `null`.
    pub fn number(&self, key: &str) -> Result<Option<f64>, GoldenError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.attribute_error(key, format!("is no number: {text}")))
    }

    /// The attribute as `true` or `false`; `None` if it is absent.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, GoldenError> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| self.attribute_error(key, format!("is neither true nor false: {text}")))
    }

    /// The attribute as a JSON object, even if the index holds it as text (as it does `params` and `args`).
    pub fn object(&self, key: &str) -> Result<BTreeMap<String, Value>, GoldenError> {
        let text = self.text(key).ok_or_else(|| self.attribute_error(key, "is missing".into()))?;
        serde_json::from_str(&text)
            .map_err(|error| self.attribute_error(key, format!("is no object: {error}")))
    }

    /// Whether the case holds a tensor of this name.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.attributes.get("tensors").is_some_and(|tensors| tensors.get(name).is_some())
    }

    /// The names of the case's tensors, sorted.
    pub fn tensor_names(&self) -> Vec<String> {
        let object = self.attributes.get("tensors").and_then(Value::as_object);
        object.map(|tensors| tensors.keys().cloned().collect()).unwrap_or_default()
    }

    /// Reads one tensor, in its stored shape, converted to `f32`.
    pub fn tensor(&self, name: &str) -> Result<ArrayD<f32>, GoldenError> {
        Ok(self.tensor_f64(name)?.mapv(|value| value as f32))
    }

    /// Reads one tensor of any number type as `f64`: exact except for large 64-bit integers.
    pub fn tensor_f64(&self, name: &str) -> Result<ArrayD<f64>, GoldenError> {
        let path = self.folder.join(&self.file);
        let bytes =
            std::fs::read(&path).map_err(|source| GoldenError::Read { path: path.clone(), source })?;
        let error = |what: String| GoldenError::Tensor { path: path.clone(), what };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| error(e.to_string()))?;
        let view = tensors.tensor(name).map_err(|e| error(format!("tensor `{name}`: {e}")))?;
        let values = numbers(view.dtype(), view.data())
            .ok_or_else(|| error(format!("tensor `{name}` has the unsupported type {:?}", view.dtype())))?;
        ArrayD::from_shape_vec(IxDyn(view.shape()), values)
            .map_err(|e| error(format!("tensor `{name}`: {e}")))
    }

    fn attribute_error(&self, key: &str, what: String) -> GoldenError {
        GoldenError::Attribute { file: self.file.clone(), key: key.to_owned(), what }
    }
}

fn numbers(dtype: Dtype, data: &[u8]) -> Option<Vec<f64>> {
    macro_rules! read {
        ($type:ty) => {
            data.chunks_exact(size_of::<$type>())
                .map(|chunk| {
                    <$type>::from_le_bytes(chunk.try_into().expect("chunks_exact gives whole chunks")) as f64
                })
                .collect()
        };
    }
    Some(match dtype {
        Dtype::F32 => read!(f32),
        Dtype::F64 => read!(f64),
        Dtype::I64 => read!(i64),
        Dtype::I32 => read!(i32),
        Dtype::I16 => read!(i16),
        Dtype::U16 => read!(u16),
        Dtype::U8 | Dtype::BOOL => read!(u8),
        Dtype::I8 => read!(i8),
        _ => return None,
    })
}

/// The folder of golden cases: `TKS_GOLDEN_DIR`, or `datasets/golden` of this repository.
pub fn golden_dir() -> PathBuf {
    match std::env::var_os(GOLDEN_DIR_VARIABLE) {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/golden"),
    }
}

/// Every case that the index of [`golden_dir`] lists, in its order.
pub fn cases() -> Result<Vec<GoldenCase>, GoldenError> {
    let folder = golden_dir();
    let path = folder.join("index.json");
    let text =
        std::fs::read_to_string(&path).map_err(|source| GoldenError::Read { path: path.clone(), source })?;
    let mut cases: Vec<GoldenCase> =
        serde_json::from_str(&text).map_err(|source| GoldenError::Index { path, source })?;
    for case in &mut cases {
        case.folder.clone_from(&folder);
    }
    Ok(cases)
}

/// The cases of one kind, in the order of the index.
pub fn cases_of_kind(kind: &str) -> Result<Vec<GoldenCase>, GoldenError> {
    Ok(cases()?.into_iter().filter(|case| case.kind == kind).collect())
}

/// The largest difference between two tensors, relative to the largest magnitude of `expected`.
///
/// Returns infinity if the lengths differ or a value of `actual` is not finite.
pub fn relative_error<'a>(
    actual: impl IntoIterator<Item = &'a f32>,
    expected: impl IntoIterator<Item = &'a f32>,
) -> f64 {
    let (actual, expected): (Vec<_>, Vec<_>) = (actual.into_iter().collect(), expected.into_iter().collect());
    if actual.len() != expected.len() {
        return f64::INFINITY;
    }
    let scale =
        expected.iter().fold(0f64, |max, &&value| max.max(f64::from(value).abs())).max(f64::MIN_POSITIVE);
    let mut worst = 0f64;
    for (&&a, &&e) in actual.iter().zip(&expected) {
        if !a.is_finite() {
            return f64::INFINITY;
        }
        worst = worst.max((f64::from(a) - f64::from(e)).abs());
    }
    worst / scale
}

/// Pseudo-random numbers in [-1, 1), by SplitMix64, for tests that must not share a generator.
pub fn noise(seed: u64, length: usize) -> Vec<f32> {
    (0..length as u64)
        .map(|i| {
            let mut z =
                (seed ^ i).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul((i + 1).wrapping_add(seed));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}
