//! Tensors' memory: their layout, and their values as slices.

use std::ffi::c_void;

use half::bf16;
use tch::{Device, Kind, Tensor};

use crate::error::TorchError;

/// The number formats of tensors whose memory can be read and written: `f32` and `bf16`.
pub trait Element: sealed::Sealed + Copy {
    /// libtorch's name for the format.
    const KIND: Kind;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
}

impl Element for f32 {
    const KIND: Kind = Kind::Float;
}

impl Element for bf16 {
    const KIND: Kind = Kind::BFloat16;
}

/// The tensor's values in memory order.
///
/// # Safety
/// Tensors share memory: while the slice lives, nothing may change these values, resize the tensor or give it
/// other memory, not even through another handle.
///
/// # Errors
/// [`TorchError::Layout`] if it is not a dense tensor of this format on the CPU.
pub unsafe fn values<T: Element>(tensor: &Tensor) -> Result<&[T], TorchError> {
    let start = start_of(tensor, T::KIND)?;
    if tensor.numel() == 0 {
        return Ok(&[]);
    }
    // SAFETY: dense, so `numel` values follow its start; they stay there by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<T>(), tensor.numel()) })
}

/// The tensor's values in memory order, for writing; for a new tensor, [`Fresh`] offers the same safely.
///
/// # Safety
/// While the slice lives, nothing else reads or writes this memory: no slice from another handle or from a
/// view of it, and no libtorch operation.
///
/// # Errors
/// [`TorchError::Layout`] if it is not a dense tensor of this format on the CPU.
pub unsafe fn values_mut<T: Element>(tensor: &mut Tensor) -> Result<&mut [T], TorchError> {
    let start = start_of(tensor, T::KIND)?;
    if tensor.numel() == 0 {
        return Ok(&mut []);
    }
    // SAFETY: dense, so `numel` values follow its start; unique by the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(start.cast::<T>(), tensor.numel()) })
}

fn start_of(tensor: &Tensor, kind: Kind) -> Result<*mut c_void, TorchError> {
    if tensor.device() != Device::Cpu || tensor.kind() != kind || !is_dense(tensor) {
        return Err(TorchError::layout(tensor, kind, None, Device::Cpu));
    }
    Ok(tensor.data_ptr())
}

/// A new, uninitialised tensor that has no other handle, so its values may be written.
///
/// ```
/// use tks_torch::memory::Fresh;
///
/// let mut fresh = Fresh::cpu(&[2, 2])?;
/// fresh.values_mut::<f32>()?.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(fresh.into_tensor().double_value(&[1, 0]), 3.0);
/// # Ok::<(), tks_torch::TorchError>(())
/// ```
#[derive(Debug)]
pub struct Fresh(Tensor);

impl Fresh {
    /// A tensor with the shape, kind, device and memory layout of `tensor`.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn like(tensor: &Tensor) -> Result<Fresh, TorchError> {
        Ok(Fresh(tensor.f_detach()?.f_empty_like()?))
    }

    /// A tensor of a given shape and strides.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn strided(size: &[i64], stride: &[i64], options: (Kind, Device)) -> Result<Fresh, TorchError> {
        Ok(Fresh(Tensor::f_empty_strided(size, stride, options)?))
    }

    /// A contiguous `f32` tensor on the CPU.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn cpu(size: &[i64]) -> Result<Fresh, TorchError> {
        Ok(Fresh(Tensor::f_empty(size, (Kind::Float, Device::Cpu))?))
    }

    /// Its number format.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// Its values in memory order, for writing.
    ///
    /// # Errors
    /// [`TorchError::Layout`] if it is not a dense tensor of this format on the CPU.
    pub fn values_mut<T: Element>(&mut self) -> Result<&mut [T], TorchError> {
        // SAFETY: the tensor was made by this type, which has not given away a handle to it.
        unsafe { values_mut(&mut self.0) }
    }

    /// The tensor, to be shared.
    pub fn into_tensor(self) -> Tensor {
        self.0
    }
}

/// Whether the tensor's values fill one contiguous piece of memory, with its dimensions in any order.
pub fn is_dense(tensor: &Tensor) -> bool {
    is_dense_by(&tensor.size(), &tensor.stride())
}

fn is_dense_by(size: &[i64], stride: &[i64]) -> bool {
    let mut dimensions: Vec<_> = size.iter().zip(stride).filter(|(size, _)| **size != 1).collect();
    if dimensions.iter().any(|(size, _)| **size == 0) {
        return true;
    }
    dimensions.sort_by_key(|(_, stride)| **stride);
    let mut step = 1;
    for (size, stride) in dimensions {
        if *stride != step {
            return false;
        }
        step *= size;
    }
    true
}

/// Whether the tensor is dense with time, its first dimension, outermost, so that it is `[T, N]` in memory.
pub fn is_time_first(tensor: &Tensor) -> bool {
    let (size, stride) = (tensor.size(), tensor.stride());
    let Some(&steps) = size.first() else { return false };
    let inner: i64 = size[1..].iter().product();
    is_dense_by(&size, &stride) && (steps <= 1 || inner <= 1 || stride[0] == inner)
}

/// The tensor itself if it is `[T, N]` in memory, else a contiguous copy.
///
/// # Errors
/// Errors from libtorch.
pub fn time_first(tensor: &Tensor) -> Result<Tensor, TorchError> {
    Ok(if is_time_first(tensor) { tensor.shallow_clone() } else { tensor.f_contiguous()? })
}

/// The tensor itself if its memory layout is that of `like` (of the same shape), else a copy with that
/// layout.
///
/// # Errors
/// Errors from libtorch.
pub fn laid_out_as(tensor: &Tensor, like: &Tensor) -> Result<Tensor, TorchError> {
    if tensor.stride() == like.stride() && is_dense(tensor) {
        return Ok(tensor.shallow_clone());
    }
    let mut copy = like.f_empty_like()?;
    copy.f_copy_(tensor)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn layouts_are_told_apart() {
        let x = Tensor::zeros([3, 2, 4, 5], (Kind::Float, Device::Cpu));
        assert!(is_time_first(&x));
        let channels_last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        assert!(is_time_first(&channels_last) && !channels_last.is_contiguous());
        assert!(is_dense(&x.transpose(0, 1)) && !is_time_first(&x.transpose(0, 1)));
        assert!(
            !is_dense(&x.slice(1, 0, 1, 1))
                && !is_dense(&Tensor::zeros([1], (Kind::Float, Device::Cpu)).expand([4], false))
        );
        assert!(is_time_first(&Tensor::zeros([0, 4], (Kind::Float, Device::Cpu))));
        let copy = laid_out_as(&x, &channels_last).unwrap();
        assert_eq!(copy.stride(), channels_last.stride());
    }
}
