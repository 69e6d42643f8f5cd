//! Helpers shared by tests of networks.
#![allow(dead_code)] // each test binary uses only part of it

use tch::Tensor;
use tks_models::{Network, SpikingModel};

/// 32 bits of FNV-1a.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Fills a network with weights derived from their names, as in the golden networks.
pub(crate) fn fill_by_formula(network: &Network) {
    for (name, tensor) in network.named_tensors() {
        if !tensor.requires_grad() {
            continue;
        }
        let size = tensor.size();
        let scale = match size.len() {
            1 if name.ends_with(".bias") => 0.05,
            0 | 1 => continue,
            _ => (6.0 / size[1..].iter().product::<i64>() as f64).sqrt(),
        };
        let phase = f64::from(fnv1a(name) % 1000) * 0.01;
        let values: Vec<f32> = (0..tensor.numel())
            .map(|i| ((i as f64 * 0.739_085_133_215_160_7 + phase).sin() * scale) as f32)
            .collect();
        let values = Tensor::from_slice(&values).reshape(size.as_slice());
        tch::no_grad(|| tensor.shallow_clone().copy_(&values));
    }
}

/// The relative difference of a norm from the expected one.
pub(crate) fn relative_norm_error(actual: f64, expected: f64) -> f64 {
    (actual - expected).abs() / expected.abs().max(f64::MIN_POSITIVE)
}
