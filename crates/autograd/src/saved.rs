//! The input that an operation keeps for its backward pass, with spikes as bits.

use half::bf16;
use tch::{Device, Kind, Tensor};
use tks_kernels::PackedSpikes;
use tks_torch::memory::{Fresh, is_dense};

use crate::error::AutogradError;
use crate::values::values;

/// A tensor that a backward pass needs again. On the CPU, spikes take one bit per value and small whole
/// numbers (sums of spikes) one byte; any other tensor must be saved unpacked.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::SavedTensor;
///
/// let spikes = Tensor::rand([4, 2, 16], (Kind::Float, Device::Cpu)).gt(0.8).to_kind(Kind::Float);
/// let saved = SavedTensor::new(&spikes)?;
/// assert_eq!(saved.bytes(), 4 * 2 * 16 / 8);
/// assert!(saved.to_save(&spikes).is_none());
/// assert_eq!(saved.restore(None, Kind::Float)?, spikes);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
#[derive(Debug)]
pub struct SavedTensor(Option<Packed>);

#[derive(Debug)]
struct Packed {
    /// In the tensor's memory order.
    values: PackedSpikes,
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl SavedTensor {
    /// Packs a tensor if it is dense `f32` or `bf16` on the CPU and contains only whole numbers from 0
    /// to 255.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn new(tensor: &Tensor) -> Result<SavedTensor, AutogradError> {
        if tensor.device() != Device::Cpu || !is_dense(tensor) {
            return Ok(SavedTensor(None));
        }
        let values = match tensor.kind() {
            Kind::Float => PackedSpikes::pack(values::<f32>(tensor)?),
            Kind::BFloat16 => PackedSpikes::pack(values::<bf16>(tensor)?),
            _ => None,
        };
        Ok(SavedTensor(values.map(|values| Packed { values, size: tensor.size(), stride: tensor.stride() })))
    }

    /// The tensor that [`record`](tks_torch::custom::record()) must save for `tensor`, which this was made
    /// from: `None` if it is packed.
    pub fn to_save<'a>(&self, tensor: &'a Tensor) -> Option<&'a Tensor> {
        self.0.is_none().then_some(tensor)
    }

    /// Restores the tensor in the same layout, as `kind`; `saved` is the result of [`Self::to_save`].
    ///
    /// # Errors
    /// If it was not packed and is not given; errors from libtorch.
    pub fn restore(&self, saved: Option<&Tensor>, kind: Kind) -> Result<Tensor, AutogradError> {
        let tensor = match (&self.0, saved) {
            (Some(packed), _) => {
                let like = (Kind::Float, Device::Cpu);
                let mut tensor = Fresh::strided(&packed.size, &packed.stride, like)?;
                packed.values.expand(tensor.values_mut()?)?;
                tensor.into_tensor()
            }
            (None, Some(saved)) => saved.f_detach()?,
            (None, None) => return Err(AutogradError::NotSaved),
        };
        Ok(tensor.f_to_kind(kind)?)
    }

    /// Memory used by the packed values, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| packed.values.bytes())
    }

    /// The share of non-zero values (0 if there are no values), if they are packed.
    pub fn density(&self) -> Option<f64> {
        self.0.as_ref().map(|packed| packed.values.density())
    }
}
