//! Average pooling compared with libtorch's.

use tch::{Device, Kind, Tensor};
use tks_autograd::avg_pool2d;

#[test]
fn values_and_gradients_are_those_of_libtorch_in_any_layout() {
    for (shape, size) in [([3, 4, 6, 8], 2), ([2, 3, 7, 5], 2), ([2, 5, 9, 10], 3), ([1, 2, 4, 4], 4)] {
        for channels_last in [false, true] {
            let input = |x: &Tensor| {
                let x = if channels_last {
                    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
                } else {
                    x.copy()
                };
                x.set_requires_grad(true)
            };
            let count: i64 = shape.iter().product();
            let values = Tensor::arange(count, (Kind::Float, Device::Cpu)).sin().view(shape);
            let (ours, theirs) = (input(&values), input(&values));
            let y = avg_pool2d(&ours, size).unwrap();
            let expected = theirs.avg_pool2d([size; 2], [size; 2], [0, 0], false, true, None::<i64>);
            assert_eq!(y, expected);
            let grad = Tensor::arange(y.numel() as i64, (Kind::Float, Device::Cpu)).cos().view(&y.size()[..]);
            (&y * &grad).sum(Kind::Float).backward();
            (&expected * &grad).sum(Kind::Float).backward();
            assert_eq!(ours.grad(), theirs.grad(), "{shape:?} by {size}, channels last: {channels_last}");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let flat = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
    assert!(avg_pool2d(&flat, 2).unwrap_err().to_string().contains("[N, C, H, W]"));
    let small = Tensor::zeros([1, 1, 2, 2], (Kind::Float, Device::Cpu));
    assert!(avg_pool2d(&small, 3).is_err());
    assert!(avg_pool2d(&small, 0).is_err());
}
