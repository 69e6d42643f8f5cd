//! The convolution of spikes compared with libtorch's.

mod common;

use common::{Noise, error};
use tch::{Device, Kind, Tensor};
use tks_autograd::convolution::{ConvBackend, ConvOptions, SPARSE_UP_TO, spike_conv2d};

#[test]
fn sparse_equals_dense_in_value_and_gradients() {
    for (seed, (size, out, kernel, stride, padding)) in [
        ([6, 5, 9, 8], 20, [3, 3], [1, 1], [1, 1]),
        ([3, 8, 9, 8], 7, [3, 3], [2, 2], [1, 1]),
        ([3, 4, 8, 8], 33, [1, 1], [2, 2], [0, 0]),
        ([2, 3, 10, 7], 16, [5, 2], [3, 2], [2, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let noise = Noise::new(seed as u64);
        let spikes = noise.tensor(&size).gt(0.9).to_kind(Kind::Float);
        let weight = noise.tensor(&[out, size[1], kernel[0], kernel[1]]);
        let grad: std::cell::OnceCell<Tensor> = std::cell::OnceCell::new();
        let run = |backend: ConvBackend, channels_last: bool| {
            let x = if channels_last {
                spikes.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
            } else {
                spikes.copy()
            };
            let x = x.set_requires_grad(true);
            let w = weight.detach().set_requires_grad(true);
            let options = ConvOptions { stride, padding, backend, ..ConvOptions::default() };
            let y = spike_conv2d(&x, &w, options).unwrap();
            let grad = grad.get_or_init(|| noise.tensor(&y.size()));
            (&y * grad).sum(Kind::Float).backward();
            [y.detach(), x.grad(), w.grad()]
        };
        let expected = run(ConvBackend::Dense, false);
        for channels_last in [false, true] {
            for (i, actual) in run(ConvBackend::Sparse, channels_last).iter().enumerate() {
                assert!(
                    error(actual, &expected[i]) < 2e-6,
                    "{i} of case {seed}: {}",
                    error(actual, &expected[i])
                );
            }
        }
    }
}

#[test]
fn winograd_equals_dense_in_value_and_gradients() {
    for (seed, (size, out, padding, rate)) in [
        ([5, 16, 9, 8], 32, [1, 1], 2.0),
        ([3, 32, 12, 12], 16, [0, 0], 2.0),
        // 12 tiles per image: several pieces of work, the last one shorter.
        ([170, 16, 12, 16], 16, [1, 1], 0.0),
        // Unsupported stride and kernel: libtorch's convolution is used.
        ([2, 8, 6, 6], 16, [1, 1], 2.0),
    ]
    .into_iter()
    .enumerate()
    {
        let noise = Noise::new(70 + seed as u64);
        let x = noise.tensor(&size);
        let x = &x * x.lt(rate).to_kind(Kind::Float);
        let weight = noise.tensor(&[out, size[1], 3, 3]);
        let grad = noise.tensor(
            &spike_conv2d(&x, &weight, ConvOptions { padding, ..Default::default() }).unwrap().size(),
        );
        let run = |backend: ConvBackend| {
            let x = x.detach().copy().set_requires_grad(true);
            let w = weight.detach().copy().set_requires_grad(true);
            let y = spike_conv2d(&x, &w, ConvOptions { padding, backend, ..Default::default() }).unwrap();
            (&y * &grad).sum(Kind::Float).backward();
            [y.detach(), x.grad(), w.grad()]
        };
        let expected = run(ConvBackend::Dense);
        for backend in [ConvBackend::Winograd, ConvBackend::Auto] {
            for (i, actual) in run(backend).iter().enumerate() {
                let off = error(actual, &expected[i]);
                assert!(off < 2e-5, "{i} of case {seed} by {backend:?}: {off}");
            }
        }
    }
}

#[test]
fn spikes_are_kept_apart_from_their_tensor_and_other_inputs_as_they_are() {
    let noise = Noise::new(31);
    let values = noise.tensor(&[3, 16, 8, 8]).gt(0.8).to_kind(Kind::Float);
    // Spikes, sums of spikes as in residual blocks, and means of spikes as from pooling.
    for (scale, kept_apart) in [(1.0, true), (3.0, true), (0.25, false)] {
        for (backend, half_precision) in [
            (ConvBackend::Auto, false),
            (ConvBackend::Sparse, false),
            (ConvBackend::Winograd, false),
            (ConvBackend::Auto, true),
        ] {
            let run = |spoil: bool| {
                // Channels last, as it is kept, so without a copy.
                let kind = if half_precision { Kind::BFloat16 } else { Kind::Float };
                let x = (&values * scale).to_kind(kind);
                let x = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
                let w = Tensor::ones([16, 16, 3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
                let options =
                    ConvOptions { padding: [1, 1], backend, half_precision, ..ConvOptions::default() };
                let y = spike_conv2d(&x, &w, options).unwrap();
                if spoil {
                    let _ = x.shallow_clone().fill_(7.0);
                }
                y.square().sum(Kind::Float).f_backward().map(|()| w.grad())
            };
            let expected = run(false).unwrap();
            match run(true) {
                Ok(grad) => assert!(kept_apart && grad == expected, "{scale} by {backend:?}"),
                // libtorch notices that a saved tensor has changed.
                Err(error) => assert!(!kept_apart, "{scale} by {backend:?}: {error}"),
            }
        }
    }
}

#[test]
fn dense_inputs_go_to_libtorch_and_halves_are_near() {
    let noise = Noise::new(9);
    let x = noise.tensor(&[2, 3, 6, 6]);
    let w = noise.tensor(&[4, 3, 3, 3]);
    let auto = spike_conv2d(&x, &w, ConvOptions::default()).unwrap();
    assert!(x.ne(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]) > SPARSE_UP_TO);
    // Numbers of channels for which only libtorch has a dense kernel: its output is contiguous, the sparse
    // kernels' is not.
    assert!(auto.is_contiguous());
    let w = w.set_requires_grad(true);
    let spikes = x.gt(1.5).to_kind(Kind::Float).set_requires_grad(true);
    let run = |half_precision| {
        let (spikes, w) = (spikes.detach().set_requires_grad(true), w.detach().set_requires_grad(true));
        let options = ConvOptions { half_precision, ..ConvOptions::default() };
        let y = spike_conv2d(&spikes, &w, options).unwrap();
        assert_eq!(y.kind(), if half_precision { Kind::BFloat16 } else { Kind::Float });
        assert!(!y.is_contiguous() || half_precision);
        y.square().sum(Kind::Float).backward();
        [y.detach().to_kind(Kind::Float), spikes.grad(), w.grad()]
    };
    for (half, single) in run(true).iter().zip(&run(false)) {
        let off = error(half, single);
        assert!(off > 0.0 && off < 0.02, "{off}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let options = ConvOptions { backend: ConvBackend::Sparse, ..ConvOptions::default() };
    let problem = |x: &Tensor, w: &Tensor| spike_conv2d(x, w, options).unwrap_err().to_string();
    assert!(problem(&zeros(&[3, 3]), &zeros(&[1, 3, 1, 1])).contains("[N, C, H, W]"));
    assert!(problem(&zeros(&[1, 3, 4, 4]), &zeros(&[1, 2, 1, 1])).contains("`weight`"));
    assert!(problem(&zeros(&[1, 3, 2, 2]), &zeros(&[1, 3, 3, 3])).contains("height"));
    assert!(problem(&zeros(&[1, 3, 4, 4]).to_kind(Kind::Double), &zeros(&[1, 3, 1, 1])).contains("f32"));
    let empty = spike_conv2d(&zeros(&[0, 3, 4, 4]), &zeros(&[2, 3, 3, 3]), options).unwrap();
    assert_eq!(empty.size(), [0, 2, 2, 2]);
}
