//! What an operation keeps of its input until its backward pass: spikes as bits.

use half::bf16;
use tch::{Device, Kind, Tensor};
use tks_kernels::PackedSpikes;
use tks_torch::memory::{Fresh, is_dense};

use crate::error::AutogradError;
use crate::values::values;

/// A tensor that a backward pass needs again. Spikes take a bit a value and small whole numbers (sums of spikes) a byte,
/// on the CPU; any other tensor has to be saved as it is.
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
    /// In the order of the tensor's memory.
    values: PackedSpikes,
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl SavedTensor {
    /// Packs a tensor, if it is dense `f32` or `bf16` on the CPU and has whole numbers from 0 to 255 alone.
    ///
    /// # Errors
    /// What libtorch refuses.
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

    /// What [`record`](tks_torch::custom::record()) has to save of `tensor`, which this was made of: nothing where it is
    /// packed.
    pub fn to_save<'a>(&self, tensor: &'a Tensor) -> Option<&'a Tensor> {
        self.0.is_none().then_some(tensor)
    }

    /// The tensor again, in the same layout, as `kind`; `saved` is what [`Self::to_save`] gave.
    ///
    /// # Errors
    /// Where it was not packed and is not given; what libtorch refuses.
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

    /// Memory taken by what is packed.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| packed.values.bytes())
    }

    /// The share of values that are not zero (0 for none), where they are packed.
    pub fn density(&self) -> Option<f64> {
        self.0.as_ref().map(|packed| packed.values.density())
    }
}
