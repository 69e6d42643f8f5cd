//! The three training steps of `benches/peers/snn` in this project: the program to pass to its `run_all.py`
//! as `--external`. Prints one JSON line per case.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn};
use tks_autograd::convolution::{ConvOptions, spike_conv2d};
use tks_autograd::{
    BatchNorm, LearnedTensors, batch_norm_multi_step, clear_grad, multi_step, plain, runtime,
};
use tks_benches::{given_gradient, median, process};
use tks_neuron::{Model, Neuron, Surrogate};

/// One training step of a spiking layer, timed: forward, then backward.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// What a step is
    #[arg(long)]
    workload: Workload,
    /// Threads of libtorch and of the kernels
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Copied into the output
    #[arg(long, default_value_t = 0)]
    round: u32,
    /// Seconds of forward and backward to collect for each case
    #[arg(long, default_value_t = 1.0)]
    min_time: f64,
    /// Least number of timed steps
    #[arg(long, default_value_t = 3)]
    min_runs: usize,
    /// Steps before the timed ones
    #[arg(long, default_value_t = 1)]
    warmup: usize,
    /// Time steps, a comma list
    #[arg(long = "T", value_delimiter = ',')]
    time_steps: Vec<i64>,
    /// Neurons, a comma list (not for conv_block)
    #[arg(long, value_delimiter = ',')]
    n: Vec<i64>,
    /// Limit of the data segment in GiB; 0: none
    #[arg(long, default_value_t = 0.0)]
    mem_limit_gb: f64,
    /// Convolution and matrix product in bfloat16; weights and neurons stay in f32
    #[arg(long)]
    bf16: bool,
    /// Convolution by libtorch, zeros and all
    #[arg(long)]
    dense: bool,
    /// Convolution by libtorch, neurons by plain libtorch operations, batch norm by libtorch
    #[arg(long)]
    plain: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Workload {
    /// T steps of 2^20 LIF neurons alone
    LifKernel,
    /// conv3x3 64 to 128, batch norm, LIF, at 48x48, batch 16
    ConvBlock,
    /// Linear(n, n) and LIF, batch 16
    LinearLif,
}

const BATCH: i64 = 16;

/// A layer with its input: `forward` returns the spikes, `leaves` are the tensors that receive gradients.
struct Case {
    forward: Box<dyn Fn() -> Result<Tensor>>,
    leaves: Vec<Tensor>,
}

fn lif(tau: f32) -> Neuron {
    Neuron { surrogate: Surrogate::Atan { alpha: 2.0 }, ..Neuron::new(Model::Lif { tau, decay_input: true }) }
}

fn neurons(tau: f32, by_plain_operations: bool, x: &Tensor) -> Result<Tensor> {
    let run = if by_plain_operations { plain::multi_step } else { multi_step };
    Ok(run(&lif(tau), x, None, LearnedTensors::default())?.spikes)
}

fn random(shape: &[i64]) -> Tensor {
    tch::manual_seed(0);
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

fn lif_kernel(options: &Options, t: i64, n: i64) -> Case {
    let x = (random(&[t, 1, n]) + 1.0).set_requires_grad(true);
    let (input, plain) = (x.shallow_clone(), options.plain);
    Case { forward: Box::new(move || neurons(2.0, plain, &input)), leaves: vec![x] }
}

fn linear_lif(options: &Options, t: i64, n: i64) -> Case {
    let x = random(&[t, BATCH, n]);
    let store = nn::VarStore::new(Device::Cpu);
    let linear = nn::linear(store.root(), n, n, nn::LinearConfig::default());
    let (plain, bf16) = (options.plain, options.bf16);
    let weight = linear.ws.shallow_clone();
    let bias = linear.bs.as_ref().map(Tensor::shallow_clone);
    let leaves = store.trainable_variables();
    let forward = move || {
        let _keep = &store;
        let y = if bf16 {
            let half = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
            half(&x).f_linear(&half(&weight), bias.as_ref().map(half).as_ref())?
        } else {
            x.f_linear(&weight, bias.as_ref())?
        };
        neurons(5.0, plain, &y)
    };
    Case { forward: Box::new(forward), leaves }
}

fn conv_block(options: &Options, t: i64) -> Case {
    let (c_in, c_out, side) = (64, 128, 48);
    let spikes = random(&[t, BATCH, c_in, side, side]).gt(1.0).to_kind(Kind::Float);
    // Channels-last, the layout in which this project's layers pass tensors on. Every framework's input is
    // made outside the timed region, in its best layout.
    let spikes = spikes.permute([0, 1, 3, 4, 2]).contiguous().permute([0, 1, 4, 2, 3]);
    let x = spikes.set_requires_grad(true);
    let store = nn::VarStore::new(Device::Cpu);
    let config = nn::ConvConfig { padding: 1, bias: false, ..nn::ConvConfig::default() };
    let conv = nn::conv2d(store.root() / "conv", c_in, c_out, 3, config);
    let norm = nn::batch_norm2d(store.root() / "bn", c_out, nn::BatchNormConfig::default());
    let mut leaves = store.trainable_variables();
    leaves.push(x.shallow_clone());
    let (by_plain_operations, bf16, dense) = (options.plain, options.bf16, options.dense || options.plain);
    let forward = move || {
        let _keep = &store;
        let input = x.f_flatten(0, 1)?;
        let y = match dense {
            true if bf16 => {
                let (input, weight) = (input.f_to_kind(Kind::BFloat16)?, conv.ws.f_to_kind(Kind::BFloat16)?);
                input.f_conv2d(&weight, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1)?
            }
            true => input.f_conv2d(&conv.ws, None::<&Tensor>, [1, 1], [1, 1], [1, 1], 1)?,
            false => {
                let padding = [1, 1];
                let options = ConvOptions { padding, half_precision: bf16, ..ConvOptions::default() };
                spike_conv2d(&input, &conv.ws, options)?
            }
        };
        let shape = [t, BATCH, c_out, side, side];
        if by_plain_operations {
            let y = y.f_to_kind(Kind::Float)?.f_batch_norm(
                norm.ws.as_ref(),
                norm.bs.as_ref(),
                Some(&norm.running_mean),
                Some(&norm.running_var),
                true,
                0.1,
                1e-5,
                false,
            )?;
            return neurons(2.0, true, &y.f_unflatten(0, [t, BATCH])?);
        }
        let (Some(weight), Some(bias)) = (&norm.ws, &norm.bs) else { bail!("batch norm without weights") };
        let fused = BatchNorm {
            weight,
            bias,
            running_mean: &norm.running_mean,
            running_var: &norm.running_var,
            training: true,
            momentum: 0.1,
            eps: 1e-5,
        };
        let y = y.f_unflatten(0, [t, BATCH])?;
        debug_assert_eq!(y.size(), shape);
        Ok(batch_norm_multi_step(&fused, &lif(2.0), &y, None, LearnedTensors::default())?.spikes)
    };
    Case { forward: Box::new(forward), leaves }
}

/// Wall and CPU time in ms of each forward and backward pass.
#[derive(Default)]
struct Times {
    forward: Vec<f64>,
    backward: Vec<f64>,
    forward_cpu: Vec<f64>,
    backward_cpu: Vec<f64>,
    rate: f64,
}

fn measure(case: &Case, options: &Options) -> Result<Times> {
    let mut times = Times::default();
    let (mut collected, mut grad) = (0.0, None);
    for run in 0.. {
        if run >= options.warmup
            && times.forward.len() >= options.min_runs
            && (collected >= options.min_time || times.forward.len() >= 200)
        {
            break;
        }
        for leaf in &case.leaves {
            clear_grad(leaf)?;
        }
        let (wall, cpu) = (Instant::now(), process::cpu_time());
        let spikes = (case.forward)()?;
        let (middle, middle_cpu) = (wall.elapsed().as_secs_f64(), process::cpu_time());
        if run == 0 {
            times.rate = spikes.f_detach()?.f_mean(Kind::Float)?.double_value(&[]);
        }
        // Dense and random, in the layout of the output, and made outside the timed region, as for every
        // framework.
        let grad: &Tensor = match &mut grad {
            Some(grad) => grad,
            none => none.insert(spikes.f_detach()?.f_randn_like()?),
        };
        let (begin, begin_cpu) = (Instant::now(), process::cpu_time());
        given_gradient(&spikes, grad)?.f_backward()?;
        let (end, end_cpu) = (begin.elapsed().as_secs_f64(), process::cpu_time());
        drop(spikes);
        if run >= options.warmup {
            times.forward.push(1e3 * middle);
            times.backward.push(1e3 * end);
            times.forward_cpu.push(1e3 * (middle_cpu - cpu));
            times.backward_cpu.push(1e3 * (end_cpu - begin_cpu));
            collected += middle + end;
        }
    }
    Ok(times)
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn main() -> Result<()> {
    runtime::prepare();
    let options = Options::parse();
    if options.mem_limit_gb > 0.0 {
        let bytes = (options.mem_limit_gb * f64::from(1 << 30)) as u64;
        process::limit_data(bytes)?;
    }
    runtime::set_threads(options.threads);
    let or = |given: &[i64], usual: &[i64]| if given.is_empty() { usual.to_vec() } else { given.to_vec() };
    let (steps, sizes) = match options.workload {
        Workload::LifKernel => (or(&options.time_steps, &[4, 8, 16]), or(&options.n, &[1 << 20])),
        Workload::ConvBlock => (or(&options.time_steps, &[4, 10]), vec![128 * 48 * 48]),
        Workload::LinearLif => (or(&options.time_steps, &[500]), or(&options.n, &[512, 1024, 2048, 4096])),
    };
    for &t in &steps {
        for &n in &sizes {
            let base = process::reset_peak()?;
            let (case, batch) = match options.workload {
                Workload::LifKernel => (lif_kernel(&options, t, n), 1),
                Workload::ConvBlock => (conv_block(&options, t), BATCH),
                Workload::LinearLif => (linear_lif(&options, t, n), BATCH),
            };
            let times = measure(&case, &options)?;
            let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
            let workload = options.workload.to_possible_value().map(|value| value.get_name().to_owned());
            println!(
                "{}",
                json!({
                    "framework": "tks", "workload": workload, "T": t, "batch": batch, "n": n,
                    "fwd_ms": round(median(&times.forward)), "bwd_ms": round(median(&times.backward)),
                    "fwd_min_ms": round(least(&times.forward)), "bwd_min_ms": round(least(&times.backward)),
                    "fwd_cpu_ms": round(median(&times.forward_cpu)),
                    "bwd_cpu_ms": round(median(&times.backward_cpu)),
                    "runs": times.forward.len(), "spike_rate": times.rate,
                    "peak_rss_mb": round(process::peak()?), "base_rss_mb": round(base),
                    "threads": options.threads, "round": options.round,
                })
            );
        }
    }
    Ok(())
}
