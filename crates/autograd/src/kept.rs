//! What an operation keeps of its input until its backward pass: spikes as bits.

use tch::{Device, Kind, Tensor};
use tks_neuron::compact::Compact;

use crate::error::AutogradError;
use crate::ffi::{half_values, values, values_mut};
use crate::layout::is_dense;

/// A tensor that a backward pass needs again. Spikes take a bit a value and small whole numbers (sums of spikes) a byte,
/// on the CPU; any other tensor has to be saved as it is.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::Kept;
///
/// let spikes = Tensor::rand([4, 2, 16], (Kind::Float, Device::Cpu)).gt(0.8).to_kind(Kind::Float);
/// let kept = Kept::of(&spikes)?;
/// assert_eq!(kept.bytes(), 4 * 2 * 16 / 8);
/// assert!(kept.to_save(&spikes).is_none());
/// assert_eq!(kept.restore(None, Kind::Float)?, spikes);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
#[derive(Debug)]
pub struct Kept(Option<Packed>);

#[derive(Debug)]
struct Packed {
    /// In the order of the tensor's memory.
    values: Compact,
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl Kept {
    /// Packs a tensor, if it is dense `f32` or `bf16` on the CPU and has whole numbers from 0 to 255 alone.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn of(tensor: &Tensor) -> Result<Kept, AutogradError> {
        if tensor.device() != Device::Cpu || !is_dense(tensor) {
            return Ok(Kept(None));
        }
        let values = match tensor.kind() {
            Kind::Float => Compact::of(values(tensor)?),
            Kind::BFloat16 => Compact::of(half_values(tensor)?),
            _ => None,
        };
        Ok(Kept(values.map(|values| Packed { values, size: tensor.size(), stride: tensor.stride() })))
    }

    /// What [`record`](crate::custom::record()) has to save of `tensor`, which this was made of: nothing where it is
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
                let mut tensor = Tensor::f_empty_strided(&packed.size, &packed.stride, like)?;
                packed.values.expand(values_mut(&mut tensor)?)?;
                tensor
            }
            (None, Some(saved)) => saved.f_detach()?,
            (None, None) => return Err(AutogradError::Unsupported("what was kept was not saved".into())),
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
