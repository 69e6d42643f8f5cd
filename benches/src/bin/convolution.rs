//! The forward pass and both gradients of a 3 x 3 convolution with each implementation, for the layers of the
//! networks in `benches/peers/training`: a table in ms, medians of rounds in which the implementations take
//! turns.

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use tch::{Device, Kind, Tensor};
use tks_autograd::convolution::{ConvBackend, ConvOptions, spike_conv2d};
use tks_autograd::runtime;
use tks_benches::{given_gradient, median};

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
    /// Images of each layer; left out: 160 and 64, as the networks have them
    #[arg(long)]
    images: Option<i64>,
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
/// The implementation, and whether channels are last in memory: libtorch runs with both layouts, and the
/// better one is quoted.
const WAYS: [(&str, ConvBackend, bool); 5] = [
    ("libtorch, channels first", ConvBackend::Dense, false),
    ("libtorch, channels last", ConvBackend::Dense, true),
    ("Winograd", ConvBackend::Winograd, true),
    ("sparse", ConvBackend::Sparse, true),
    ("auto", ConvBackend::Auto, true),
];

fn main() -> Result<()> {
    runtime::prepare();
    let options = Options::parse();
    runtime::set_threads(options.threads);
    tch::manual_seed(1);
    println!("| layer | non-zero | by | forward | weight's gradient | input's gradient | GFLOP |");
    println!("|---|---|---|---|---|---|---|");
    for [usual, inputs, outputs, side] in LAYERS {
        let images = options.images.unwrap_or(usual);
        for &density in &options.density {
            let channels_last = |x: Tensor| x.permute([0, 3, 1, 2]);
            let uniform = Tensor::rand([images, side, side, inputs], (Kind::Float, Device::Cpu));
            let x = channels_last(uniform.lt(density).to_kind(Kind::Float));
            let weight = Tensor::randn([outputs, inputs, 3, 3], (Kind::Float, Device::Cpu)) * 0.05;
            let grad =
                channels_last(Tensor::randn([images, side, side, outputs], (Kind::Float, Device::Cpu)));
            // Made outside the timed region, like the others.
            let (x_first, grad_first) = (x.contiguous(), grad.contiguous());
            let mut times = vec![[const { Vec::new() }; 3]; WAYS.len()];
            for round in 0..=options.rounds {
                for ((_, backend, is_last), times) in WAYS.iter().zip(&mut times) {
                    let [x, grad] = if *is_last { [&x, &grad] } else { [&x_first, &grad_first] };
                    for (part, seconds) in step(x, &weight, grad, *backend)?.into_iter().enumerate() {
                        if round > 0 {
                            times[part].push(seconds);
                        }
                    }
                }
            }
            let gflop = 2e-9 * (images * side * side * inputs * outputs * 9) as f64;
            for ((by, ..), times) in WAYS.iter().zip(&times) {
                let [forward, of_weight, of_input] = [0, 1, 2].map(|part| 1e3 * median(&times[part]));
                println!(
                    "| {inputs} to {outputs}, {side} x {side}, {images} images | {density} | {by} \
                     | {forward:.0} | {of_weight:.0} | {of_input:.0} | {gflop:.0} |"
                );
            }
        }
    }
    Ok(())
}

/// Seconds of the forward pass, the weight gradient and the gradient with respect to the input.
fn step(x: &Tensor, weight: &Tensor, grad: &Tensor, backend: ConvBackend) -> Result<[f64; 3]> {
    let x = x.detach().set_requires_grad(true);
    let weight = weight.detach().set_requires_grad(true);
    let began = Instant::now();
    let y = spike_conv2d(&x, &weight, ConvOptions { padding: [1, 1], backend, ..ConvOptions::default() })?;
    let forward = began.elapsed().as_secs_f64();
    let end = given_gradient(&y, grad)?;
    let gradient = |input: &Tensor, keep: bool| -> Result<f64> {
        let began = Instant::now();
        Tensor::f_run_backward(&[&end], &[input], keep, false)?;
        Ok(began.elapsed().as_secs_f64())
    };
    Ok([forward, gradient(&weight, true)?, gradient(&x, false)?])
}
