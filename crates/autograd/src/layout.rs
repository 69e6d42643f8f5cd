//! How tensors lie in memory: kernels see a time-first tensor of any inner layout as `[T, N]`.

use tch::Tensor;

use crate::error::AutogradError;

/// Whether the tensor's values fill one piece of memory, in whatever order of its dimensions.
pub(crate) fn is_dense(tensor: &Tensor) -> bool {
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

/// Whether the tensor is dense with time, its first dimension, outermost: then it is `[T, N]` in memory.
pub(crate) fn is_time_first(tensor: &Tensor) -> bool {
    let (size, stride) = (tensor.size(), tensor.stride());
    let Some(&steps) = size.first() else { return false };
    let inner: i64 = size[1..].iter().product();
    is_dense_by(&size, &stride) && (steps <= 1 || inner <= 1 || stride[0] == inner)
}

/// The tensor itself where it is `[T, N]` in memory, else a contiguous copy.
pub(crate) fn time_first(tensor: &Tensor) -> Result<Tensor, AutogradError> {
    Ok(if is_time_first(tensor) { tensor.shallow_clone() } else { tensor.f_contiguous()? })
}

/// The tensor itself where its memory is laid out as `like`'s (of the same shape), else a copy that is.
pub(crate) fn laid_out_as(tensor: &Tensor, like: &Tensor) -> Result<Tensor, AutogradError> {
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
