//! The fused neuron kernels against the memory bandwidth: forward, and forward + backward, at 2^20 neurons,
//! beside a copy that moves the same number of bytes.
//!
//! Bytes are those that a pass must move, each once: the forward pass reads the input and writes f32
//! spikes (8 a neuron and step); the backward pass reads the input and the spikes' gradient and writes the
//! input's gradient (12 more). Buffers are allocated and touched once and reused, as a steady training loop
//! with a caching allocator reuses them.
//!
//! After criterion's own output a table gives each pass as a fraction of the copy's bandwidth, from rounds
//! in which pass and copy alternate, so that a noisy machine slows both.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tks_benches::median;
use tks_neuron::kernel::{Backward, Forward, GradSpikes, Kernel, Spikes};
use tks_neuron::{Model, Neuron};

const NEURONS: usize = 1 << 20;
const TIME_STEPS: [usize; 3] = [4, 8, 16];
const THREADS: [usize; 2] = [1, 2];
const ROUNDS: usize = 7;

/// The models that have a fused kernel, with the defaults of their time constants; surrogate: atan.
fn models() -> [Model; 5] {
    [
        Model::If,
        Model::Lif { tau: 2.0, decay_input: true },
        Model::Plif { init_tau: 2.0, decay_input: true },
        Model::CubaLif { tau: 2.0, tau_synapse: 2.0, decay_input: true },
        Model::Alif { tau: 2.0, tau_adaptation: 10.0, beta: 0.2, decay_input: true },
    ]
}

#[derive(Clone, Copy)]
enum Pass {
    Forward,
    ForwardBackward,
}

impl Pass {
    const ALL: [Pass; 2] = [Pass::Forward, Pass::ForwardBackward];

    fn name(self) -> &'static str {
        match self {
            Pass::Forward => "forward",
            Pass::ForwardBackward => "forward+backward",
        }
    }

    fn bytes(self, time_steps: usize) -> usize {
        let values = match self {
            Pass::Forward => 2,
            Pass::ForwardBackward => 5,
        };
        values * time_steps * NEURONS * size_of::<f32>()
    }
}

/// `[T, N]` buffers, and the two halves of the copy.
struct Buffers {
    time_steps: usize,
    input: Vec<f32>,
    spikes: Vec<f32>,
    grad_spikes: Vec<f32>,
    grad_input: Vec<f32>,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Buffers {
    fn new(time_steps: usize) -> Self {
        let values = time_steps * NEURONS;
        let half = Pass::ForwardBackward.bytes(time_steps) / 2;
        Buffers {
            time_steps,
            // About a third of the neurons fires in a step; no period that a branch predictor could learn.
            input: noise(1, values).map(|x| 2.4 * x).collect(),
            spikes: vec![1.0; values],
            grad_spikes: noise(2, values).collect(),
            grad_input: vec![1.0; values],
            from: vec![1; half],
            to: vec![2; half],
        }
    }

    fn run(&mut self, kernel: &Kernel, pass: Pass) {
        let spikes = Spikes::F32(&mut self.spikes);
        let forward = Forward::new(self.time_steps, NEURONS, &self.input, spikes);
        kernel.forward(forward).expect("the buffers fit");
        if let Pass::ForwardBackward = pass {
            let rows = GradSpikes::Rows(&self.grad_spikes);
            let backward = Backward::new(self.time_steps, NEURONS, &self.input, rows, &mut self.grad_input);
            kernel.backward(backward).expect("the buffers fit");
        }
        black_box((&self.spikes, &self.grad_input));
    }

    /// Copies `bytes / 2` bytes, so that `bytes` are moved, in one piece a thread.
    fn copy(&mut self, bytes: usize) {
        let half = bytes / 2;
        let piece = half.div_ceil(rayon::current_num_threads());
        let pieces = self.to[..half].par_chunks_mut(piece).zip(self.from[..half].par_chunks(piece));
        pieces.for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&self.to);
    }
}

/// Uniform in [0, 1), by SplitMix64.
fn noise(seed: u64, length: usize) -> impl Iterator<Item = f32> {
    (1..=length as u64).map(move |i| {
        let mut z = (seed << 32).wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    })
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

fn kernel(model: Model) -> Kernel {
    Kernel::new(&Neuron::new(model)).expect("these models have kernels")
}

fn benchmarks(criterion: &mut Criterion) {
    for time_steps in TIME_STEPS {
        let mut buffers = Buffers::new(time_steps);
        for pass in Pass::ALL {
            let mut group = criterion.benchmark_group(format!("{}/T{time_steps}", pass.name()));
            group.throughput(Throughput::Bytes(pass.bytes(time_steps) as u64));
            for threads in THREADS {
                let pool = pool(threads);
                let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
                group.bench_function(id("copy"), |bencher| {
                    pool.install(|| bencher.iter(|| buffers.copy(pass.bytes(time_steps))));
                });
                for model in models() {
                    let kernel = kernel(model);
                    group.bench_function(id(model.name()), |bencher| {
                        pool.install(|| bencher.iter(|| buffers.run(&kernel, pass)));
                    });
                }
            }
            group.finish();
        }
    }
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

fn summary() {
    println!("\n{NEURONS} neurons, f32 spikes, atan; medians of {ROUNDS} rounds, kernel and copy in turn");
    println!("threads pass                T model       ms   GB/s   copy ms   of copy's bandwidth");
    for threads in THREADS {
        let pool = pool(threads);
        for time_steps in TIME_STEPS {
            let mut buffers = Buffers::new(time_steps);
            for pass in Pass::ALL {
                for model in models() {
                    let kernel = kernel(model);
                    let bytes = pass.bytes(time_steps);
                    pool.install(|| buffers.run(&kernel, pass));
                    let (mut times, mut copies, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
                    for _ in 0..ROUNDS {
                        let copy = milliseconds(|| pool.install(|| buffers.copy(bytes)));
                        let time = milliseconds(|| pool.install(|| buffers.run(&kernel, pass)));
                        times.push(time);
                        copies.push(copy);
                        ratios.push(copy / time);
                    }
                    println!(
                        "{threads:7} {:16} {time_steps:4} {:9} {:6.2} {:6.1} {:9.2} {:9.0} %",
                        pass.name(),
                        model.name(),
                        median(&times),
                        bytes as f64 * 1e-6 / median(&times),
                        median(&copies),
                        100.0 * median(&ratios)
                    );
                }
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `--table` skips criterion; a filter, `--list` or a test run skips the table.
    if !arguments.iter().any(|argument| argument == "--table") {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(500))
            .configure_from_args();
        benchmarks(&mut criterion);
        criterion.final_summary();
    }
    if arguments.iter().all(|argument| argument == "--bench" || argument == "--table")
        && !arguments.is_empty()
    {
        summary();
    }
}
