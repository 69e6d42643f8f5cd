//! Times a whole training step of the networks in `benches/peers/training`: forward, cross entropy of the
//! mean over time steps, backward, AdamW. Prints a JSON line.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::json;
use tch::{Device, Kind, Tensor, nn};
use tks_autograd::optimizer::{AdamW, adamw};
use tks_autograd::{clear_grad, runtime};
use tks_benches::{median, process};
use tks_models::{Architecture, Execution, Input, InputShape, Network, NetworkConfig, SpikingModel};

/// One training step of a spiking network, timed
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Which network
    #[arg(long)]
    network: Which,
    /// Threads of libtorch and of the kernels
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Timed steps, after one that is not
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Convolutions and linear layers in bfloat16
    #[arg(long)]
    bf16: bool,
    /// What computes convolutions: auto, sparse, winograd or dense
    #[arg(long, default_value = "auto")]
    convolution: String,
    /// Samples in a batch
    #[arg(long, default_value_t = 16)]
    batch: i64,
    /// Keep the blocks' inputs alone for the backward pass
    #[arg(long)]
    checkpoint_blocks: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Which {
    /// T = 10, batch 16, 2x48x48 frames
    VggSnn,
    /// T = 4, batch 16, 3x32x32 images
    SewResnet19,
}

/// Seconds taken by the parts of a step.
#[derive(Default, Clone, Copy)]
struct Parts {
    forward: f64,
    backward: f64,
    optimizer: f64,
}

fn main() -> Result<()> {
    runtime::prepare();
    let options = Options::parse();
    runtime::set_threads(options.threads);
    tch::manual_seed(1);
    let batch = options.batch;
    let (architecture, shape, time_steps) = match options.network {
        Which::VggSnn => (Architecture::VggSnn, InputShape::new(2, 48, 48), 10),
        Which::SewResnet19 => (Architecture::SewResnet19, InputShape::new(3, 32, 32), 4),
    };
    let store = nn::VarStore::new(Device::Cpu);
    let config = NetworkConfig { architecture, ..NetworkConfig::default() };
    let network = Network::new(&store.root(), &config, shape)?;
    let execution = Execution {
        bf16: options.bf16,
        convolution: serde_json::from_value(json!(options.convolution))?,
        checkpoint_blocks: options.checkpoint_blocks,
        ..Execution::default()
    };
    let sample = [shape.channels, shape.height, shape.width].map(|size| size as i64);
    let cpu = (Kind::Float, Device::Cpu);
    let images = match options.network {
        // Event counts, mostly zero.
        Which::VggSnn => {
            let size = [&[time_steps, batch][..], &sample].concat();
            Tensor::rand(size, cpu).gt(0.9).to_kind(Kind::Float)
        }
        Which::SewResnet19 => Tensor::rand([&[batch][..], &sample].concat(), cpu),
    };
    let labels = Tensor::arange(batch, (Kind::Int64, Device::Cpu)).remainder(10);
    let parameters = store.trainable_variables();
    // Before the moments exist: peers create theirs in the first step.
    let base = process::reset_peak()?;
    let zeros = || parameters.iter().map(|p| Ok(p.f_detach()?.f_zeros_like()?)).collect::<Result<Vec<_>>>();
    let (first, second) = (zeros()?, zeros()?);
    let counts: Vec<_> = parameters.iter().map(|_| Tensor::from(0.0f32)).collect();
    let settings = AdamW { lr: 1e-4, betas: [0.9, 0.999], weight_decay: 0.01, eps: 1e-8 };

    let mut times = Vec::new();
    for run in 0..=options.runs {
        let began = Instant::now();
        parameters.iter().try_for_each(clear_grad)?;
        let input = match options.network {
            Which::VggSnn => Input::Sequence(&images),
            Which::SewResnet19 => Input::Static(&images, time_steps as usize),
        };
        let logits = network.forward(input, true, &execution)?;
        let mean = logits.f_mean_dim(0, false, Kind::Float)?;
        let loss = mean.f_cross_entropy_loss::<Tensor>(&labels, None, tch::Reduction::Mean, -100, 0.0)?;
        let forward = began.elapsed().as_secs_f64();
        loss.f_backward()?;
        let backward = began.elapsed().as_secs_f64() - forward;
        let gradients: Vec<_> = parameters.iter().map(Tensor::f_grad).collect::<Result<_, _>>()?;
        adamw(&parameters, &gradients, &first, &second, &counts, &settings)?;
        let optimizer = began.elapsed().as_secs_f64() - forward - backward;
        if !loss.f_double_value(&[])?.is_finite() {
            bail!("the loss is not finite");
        }
        if run > 0 {
            times.push(Parts { forward, backward, optimizer });
        }
    }
    let of = |part: fn(&Parts) -> f64| 1e3 * median(&times.iter().map(part).collect::<Vec<_>>());
    let step = of(|parts| parts.forward + parts.backward + parts.optimizer);
    let network = options.network.to_possible_value().map(|value| value.get_name().to_owned());
    println!(
        "{}",
        json!({
            "framework": if options.bf16 { "tks bf16" } else { "tks" }, "network": network,
            "threads": options.threads, "step_ms": step, "forward_ms": of(|parts| parts.forward),
            "backward_ms": of(|parts| parts.backward), "optimizer_ms": of(|parts| parts.optimizer),
            "images_per_second": 1e3 * batch as f64 / step,
            "peak_mib": process::peak()?, "added_mib": process::peak()? - base,
        })
    );
    Ok(())
}
