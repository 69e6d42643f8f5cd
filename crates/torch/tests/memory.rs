//! Tensors' memory as slices: in memory order, and refused if the tensor is not dense.

use half::bf16;
use tch::{Device, Kind, Tensor};
use tks_torch::TorchError;
use tks_torch::memory::{self, Element, Fresh, values_mut};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

fn values<T: Element>(tensor: &Tensor) -> Result<&[T], TorchError> {
    // SAFETY: nothing changes a tensor while a test reads it.
    unsafe { memory::values(tensor) }
}

#[test]
fn values_come_in_the_order_of_memory() {
    let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).view([2, 3]);
    assert_eq!(values::<f32>(&x.transpose(0, 1)).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let half = x.to_kind(Kind::BFloat16);
    assert_eq!(values::<bf16>(&half).unwrap()[5], bf16::from_f32(6.0));
    assert!(values::<f32>(&Tensor::zeros([0, 3], CPU)).unwrap().is_empty());
}

#[test]
fn other_formats_and_gaps_are_refused() {
    let x = Tensor::zeros([2, 4], CPU);
    for (tensor, words) in [(x.to_kind(Kind::Double), "Double"), (x.slice(1, 0, 2, 1), "strides [4, 1]")] {
        let error = values::<f32>(&tensor).unwrap_err();
        assert!(matches!(error, TorchError::Layout { kind: Kind::Float, .. }));
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(values::<bf16>(&x).is_err());
}

#[test]
fn what_is_written_is_in_the_tensor() {
    let mut fresh = Fresh::strided(&[2, 3], &[1, 2], CPU).unwrap();
    fresh.values_mut::<f32>().unwrap().copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(fresh.values_mut::<bf16>().is_err());
    let mut tensor = fresh.into_tensor();
    assert_eq!((tensor.double_value(&[0, 1]), tensor.double_value(&[1, 2])), (3.0, 6.0));
    // SAFETY: no other handle to this tensor.
    unsafe { values_mut::<f32>(&mut tensor) }.unwrap()[5] = 7.0;
    assert_eq!(tensor.double_value(&[1, 2]), 7.0);
    assert_eq!(Fresh::like(&tensor).unwrap().into_tensor().stride(), tensor.stride());
}
