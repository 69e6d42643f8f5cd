//! Spikes as bits: what an operation may keep of its input until its backward pass.

use tch::{Device, Kind, Tensor};
use tks_neuron::compact::Compact;

use crate::error::AutogradError;
use crate::ffi::{half_values, values, values_mut};
use crate::layout::is_dense;

/// A tensor of spikes in a bit a value, or of small whole numbers (sums of spikes) in a byte a value.
///
/// ```
/// use tch::{Device, Kind, Tensor};
/// use tks_autograd::PackedSpikes;
///
/// let spikes = Tensor::rand([4, 2, 16], (Kind::Float, Device::Cpu)).gt(0.8).to_kind(Kind::Float);
/// let packed = PackedSpikes::of(&spikes)?.unwrap();
/// assert_eq!(packed.bytes(), 4 * 2 * 16 / 8);
/// assert_eq!(packed.unpack(Kind::Float)?, spikes);
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
#[derive(Debug)]
pub struct PackedSpikes {
    /// In the order of the tensor's memory.
    values: Compact,
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl PackedSpikes {
    /// Packs a tensor; `None` where it has other values than whole numbers from 0 to 255, is neither `f32` nor
    /// `bf16`, not on the CPU, or has gaps in memory.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn of(tensor: &Tensor) -> Result<Option<PackedSpikes>, AutogradError> {
        if tensor.device() != Device::Cpu || !is_dense(tensor) {
            return Ok(None);
        }
        let values = match tensor.kind() {
            Kind::Float => Compact::of(values(tensor)?),
            Kind::BFloat16 => Compact::of(half_values(tensor)?),
            _ => None,
        };
        Ok(values.map(|values| PackedSpikes { values, size: tensor.size(), stride: tensor.stride() }))
    }

    /// The tensor again, in the same layout, as `kind`.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn unpack(&self, kind: Kind) -> Result<Tensor, AutogradError> {
        let mut tensor = Tensor::f_empty_strided(&self.size, &self.stride, (Kind::Float, Device::Cpu))?;
        self.values.expand(values_mut(&mut tensor)?)?;
        Ok(tensor.f_to_kind(kind)?)
    }

    /// Memory taken.
    pub fn bytes(&self) -> usize {
        self.values.bytes()
    }

    /// The share of values that are not zero, 0 for none.
    pub fn density(&self) -> f64 {
        self.values.density()
    }
}
