//! The fused plain spike compared with plain operations.

mod common;

use common::{Noise, error};
use tch::{Device, Kind, Tensor};
use tks_autograd::{plain, spike};
use tks_neuron::Surrogate;

#[test]
fn fused_spikes_equal_plain_ones_in_value_and_gradient() {
    for (i, &surrogate) in Surrogate::all().iter().enumerate() {
        let strict = i % 2 == 0;
        let noise = Noise::new(i as u64);
        // Odd sizes, and a non-dense layout.
        let base = noise.tensor(&[7, 5, 11]);
        let weight = noise.tensor(&[5, 5, 11]);
        let run = |operation: &dyn Fn(&Tensor) -> Tensor| {
            let leaf = base.detach().set_requires_grad(true);
            let s = operation(&leaf.slice(0, 1, 6, 1).transpose(1, 2));
            (&s * weight.transpose(1, 2)).sum(Kind::Float).backward();
            (s.detach(), leaf.grad())
        };
        let fused = run(&|u| spike(u, &surrogate, strict).unwrap());
        let plain = run(&|u| plain::spike(u, &surrogate, strict).unwrap());
        assert_eq!(fused.0, plain.0, "{}", surrogate.name());
        assert!(error(&fused.1, &plain.1) < 1e-5, "{}: {:e}", surrogate.name(), error(&fused.1, &plain.1));
    }
}

#[test]
fn the_threshold_itself_fires_unless_strict_and_not_a_number_never() {
    let u = Tensor::from_slice(&[0.0f32, f32::NAN, f32::INFINITY, -1.0]);
    let fired = |strict| Vec::<f32>::try_from(spike(&u, &Surrogate::default(), strict).unwrap()).unwrap();
    assert_eq!(fired(false), [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(fired(true), [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn half_precision_stays_half_and_other_kinds_are_refused() {
    let u = Noise::new(2).tensor(&[300]).to_kind(Kind::BFloat16).set_requires_grad(true);
    let s = spike(&u, &Surrogate::default(), false).unwrap();
    assert_eq!(s.kind(), Kind::BFloat16);
    s.sum(Kind::Float).backward();
    let expected = plain::derivative(&u.detach().to_kind(Kind::Float), &Surrogate::default()).unwrap();
    assert!(error(&u.grad().to_kind(Kind::Float), &expected) < 0.01);
    let problem = spike(&Tensor::zeros([2], (Kind::Int64, Device::Cpu)), &Surrogate::default(), false);
    assert!(problem.unwrap_err().to_string().contains("f32 or bf16"));
    let bad = Surrogate::Atan { alpha: -1.0 };
    assert!(spike(&u, &bad, false).unwrap_err().to_string().contains("alpha"));
    let empty = spike(&Tensor::zeros([0, 3], (Kind::Float, Device::Cpu)), &Surrogate::default(), false);
    assert_eq!(empty.unwrap().size(), [0, 3]);
}
