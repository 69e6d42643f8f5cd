//! A 3 x 3 convolution's forward pass and both gradients by each implementation, for the layers of the networks of
//! `benches/peers/training`: a table of ms, medians of rounds in which they take turns.

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use tch::{Device, Kind, Tensor};
use tks_autograd::convolution::{ConvBackend, ConvOptions, spike_conv2d};
use tks_autograd::runtime;
use tks_benches::median;

/// Convolutions by each implementation, timed
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Threads of libtorch and of the kernels
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Timed rounds, after one that is not
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Shares of the input that are not zero
    #[arg(long, value_delimiter = ',', default_values_t = [0.05, 0.15, 0.3, 0.6])]
    density: Vec<f64>,
}

/// Images, channels in and out, side.
const LAYERS: [[i64; 4]; 6] = [
    [160, 64, 128, 48],
    [160, 256, 256, 24],
    [160, 512, 512, 12],
    [160, 512, 512, 6],
    [64, 128, 128, 32],
    [64, 512, 512, 8],
];
const BACKENDS: [ConvBackend; 4] =
    [ConvBackend::Dense, ConvBackend::Winograd, ConvBackend::Sparse, ConvBackend::Auto];

fn main() -> Result<()> {
    runtime::prepare();
    let options = Options::parse();
    runtime::set_threads(options.threads);
    tch::manual_seed(1);
    println!("| layer | non-zero | by | forward | weight's gradient | input's gradient | GFLOP |");
    println!("|---|---|---|---|---|---|---|");
    for [images, inputs, outputs, side] in LAYERS {
        for &density in &options.density {
            let channels_last = |x: Tensor| x.permute([0, 3, 1, 2]);
            let uniform = Tensor::rand([images, side, side, inputs], (Kind::Float, Device::Cpu));
            let x = channels_last(uniform.lt(density).to_kind(Kind::Float));
            let weight = Tensor::randn([outputs, inputs, 3, 3], (Kind::Float, Device::Cpu)) * 0.05;
            let grad =
                channels_last(Tensor::randn([images, side, side, outputs], (Kind::Float, Device::Cpu)));
            let mut times = vec![[const { Vec::new() }; 3]; BACKENDS.len()];
            for round in 0..=options.rounds {
                for (backend, times) in BACKENDS.iter().zip(&mut times) {
                    for (part, seconds) in step(&x, &weight, &grad, *backend)?.into_iter().enumerate() {
                        if round > 0 {
                            times[part].push(seconds);
                        }
                    }
                }
            }
            let gflop = 2e-9 * (images * side * side * inputs * outputs * 9) as f64;
            for (backend, times) in BACKENDS.iter().zip(&times) {
                let [forward, of_weight, of_input] = [0, 1, 2].map(|part| 1e3 * median(&times[part]));
                println!(
                    "| {inputs} to {outputs}, {side} x {side}, {images} images | {density} | {backend:?} \
                     | {forward:.0} | {of_weight:.0} | {of_input:.0} | {gflop:.0} |"
                );
            }
        }
    }
    Ok(())
}

/// Seconds of the forward pass, the weight's gradient, the input's.
fn step(x: &Tensor, weight: &Tensor, grad: &Tensor, backend: ConvBackend) -> Result<[f64; 3]> {
    let x = x.detach().set_requires_grad(true);
    let weight = weight.detach().set_requires_grad(true);
    let began = Instant::now();
    let y = spike_conv2d(&x, &weight, ConvOptions { padding: [1, 1], backend, ..ConvOptions::default() })?;
    let forward = began.elapsed().as_secs_f64();
    let sum = (&y * grad).sum(Kind::Float);
    let gradient = |input: &Tensor, keep: bool| -> Result<f64> {
        let began = Instant::now();
        Tensor::f_run_backward(&[&sum], &[input], keep, false)?;
        Ok(began.elapsed().as_secs_f64())
    };
    Ok([forward, gradient(&weight, true)?, gradient(&x, false)?])
}
