//! The fused neuron kernels at 2^20 neurons, forward and forward + backward, on one and two threads, compared
//! with the same neurons in plain libtorch operations and with a copy that moves the same number of bytes.
//!
//! Each model is run in three ways: `kernel` on buffers that are allocated once and reused, as in a training
//! loop with a caching allocator; `op`, the differentiable operation on tensors, including the cost of
//! allocation and libtorch's autograd; `plain`, the same in libtorch operations step by step.
//!
//! The number of bytes is the minimum that a pass must move: the forward pass reads the input and writes f32
//! spikes (8 bytes per neuron and time step); the backward pass reads the input and the gradient of the
//! spikes and writes the gradient of the input (12 more). `copy` moves the same number.
//!
//! After criterion's own output, a table gives, for the cases that ran, the kernel's bandwidth as a fraction
//! of the copy's and the operation compared with the plain one. They are measured in rounds in which all four
//! take turns, so that a noisy machine slows them equally. `cargo bench -p tks-benches --bench neuron --
//! FILTER` limits both; `-- --table WORDS` prints only the table, for the cases whose names contain every
//! word.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tch::Tensor;
use tks_autograd::{LearnedTensors, clear_grad, multi_step, plain, runtime};
use tks_benches::{given_gradient, median};
use tks_neuron::kernel::{Backward, Forward, GradSpikes, InstructionSet, Kernel, Spikes};
use tks_neuron::{Model, Neuron};

const NEURONS: usize = 1 << 20;
const TIME_STEPS: [usize; 3] = [4, 8, 16];
const THREADS: [usize; 2] = [1, 2];
const ROUNDS: usize = 5;

/// The models with a fused kernel, with default time constants and the atan surrogate.
fn models() -> [Model; 5] {
    [
        Model::If,
        Model::Lif { tau: 2.0, decay_input: true },
        Model::Plif { init_tau: 2.0, decay_input: true },
        Model::CubaLif { tau: 2.0, tau_synapse: 2.0, decay_input: true },
        Model::Alif { tau: 2.0, tau_adaptation: 10.0, beta: 0.2, decay_input: true },
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// `[T, N]` buffers, the same data as tensors, and the two halves of the copy.
struct Buffers {
    time_steps: usize,
    input: Vec<f32>,
    spikes: Vec<f32>,
    grad_spikes: Vec<f32>,
    grad_input: Vec<f32>,
    /// The input as a leaf, `[T, 1, N]`.
    tensor: Tensor,
    /// The gradient of the spikes, dense, with the same shape.
    grad_tensor: Tensor,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Buffers {
    fn new(time_steps: usize) -> Self {
        let values = time_steps * NEURONS;
        let half = Pass::ForwardBackward.bytes(time_steps) / 2;
        // About a third of the neurons fire in a time step, without a period that a branch predictor could
        // learn.
        let input: Vec<f32> = noise(1, values).map(|x| 2.4 * x).collect();
        let shape = [time_steps as i64, 1, NEURONS as i64];
        let grad_spikes: Vec<f32> = noise(2, values).collect();
        Buffers {
            time_steps,
            tensor: Tensor::from_slice(&input).reshape(shape).set_requires_grad(true),
            input,
            spikes: vec![1.0; values],
            grad_tensor: Tensor::from_slice(&grad_spikes).reshape(shape),
            grad_spikes,
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

    /// The same on tensors, with the same gradient of the spikes.
    fn run_tensors(&self, model: Model, pass: Pass, way: Way) {
        let run = if way == Way::Plain { plain::multi_step } else { multi_step };
        let forward = || {
            let output = run(&Neuron::new(model), &self.tensor, None, LearnedTensors::default());
            output.expect("the tensors fit").spikes
        };
        match pass {
            Pass::Forward => drop(black_box(tch::no_grad(forward))),
            Pass::ForwardBackward => {
                clear_grad(&self.tensor).expect("a leaf");
                let end = given_gradient(&forward(), &self.grad_tensor).expect("the gradient fits");
                end.backward();
                black_box(&self.tensor);
            }
        }
    }

    /// Copies `bytes / 2` bytes, so that `bytes` bytes are moved, in one piece per thread.
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

/// Sets the number of threads for the kernels and for libtorch: OpenMP keeps its number per thread.
fn pool(threads: usize) -> ThreadPool {
    let set = move |_: usize| tch::set_num_threads(threads as i32);
    let builder = ThreadPoolBuilder::new().num_threads(threads).start_handler(set);
    builder.build().expect("threads can be started")
}

fn kernel(model: Model) -> Kernel {
    Kernel::new(&Neuron::new(model)).expect("these models have kernels")
}

/// The way to run a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Kernel,
    Op,
    Plain,
}

impl Way {
    const ALL: [Way; 3] = [Way::Kernel, Way::Op, Way::Plain];

    fn name(self) -> &'static str {
        match self {
            Way::Kernel => "kernel",
            Way::Op => "op",
            Way::Plain => "plain",
        }
    }
}

/// A row of the table: threads, time steps, pass, and the index of the model in [`models`].
type Row = (usize, usize, Pass, usize);

/// Runs criterion; returns the rows with at least one case that ran.
fn benchmarks(criterion: &mut Criterion) -> BTreeSet<Row> {
    let ran = RefCell::new(BTreeSet::new());
    for time_steps in TIME_STEPS {
        let buffers = RefCell::new(None);
        for pass in Pass::ALL {
            let mut group = criterion.benchmark_group(format!("{}/T{time_steps}", pass.name()));
            group.throughput(Throughput::Bytes(pass.bytes(time_steps) as u64));
            group.sampling_mode(SamplingMode::Flat);
            for threads in THREADS {
                let pool = pool(threads);
                let id = |name: &str| BenchmarkId::new(name, format!("{threads}_threads"));
                group.bench_function(id("copy"), |bencher| {
                    let mut buffers = buffers.borrow_mut();
                    let buffers = buffers.get_or_insert_with(|| Buffers::new(time_steps));
                    pool.install(|| bencher.iter(|| buffers.copy(pass.bytes(time_steps))));
                });
                for (index, model) in models().into_iter().enumerate() {
                    let kernel = kernel(model);
                    for way in Way::ALL {
                        let name = format!("{}/{}", model.name(), way.name());
                        group.bench_function(id(&name), |bencher| {
                            ran.borrow_mut().insert((threads, time_steps, pass, index));
                            let mut buffers = buffers.borrow_mut();
                            let buffers = buffers.get_or_insert_with(|| Buffers::new(time_steps));
                            pool.install(|| {
                                bencher.iter(|| match way {
                                    Way::Kernel => buffers.run(&kernel, pass),
                                    Way::Op | Way::Plain => buffers.run_tensors(model, pass, way),
                                });
                            });
                        });
                    }
                }
            }
            group.finish();
        }
    }
    ran.into_inner()
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e3
}

/// Every row whose name contains each of the words.
fn rows(words: &[String]) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for threads in THREADS {
        for time_steps in TIME_STEPS {
            for pass in Pass::ALL {
                for (index, model) in models().into_iter().enumerate() {
                    let name = format!("{}/T{time_steps}/{}/{threads}_threads", pass.name(), model.name());
                    let has = |word: &String| name.split('/').any(|part| part == word);
                    if words.iter().all(has) {
                        rows.insert((threads, time_steps, pass, index));
                    }
                }
            }
        }
    }
    rows
}

fn table(rows: &BTreeSet<Row>) {
    let set = InstructionSet::in_use().expect("kernels were made");
    println!(
        "\n{NEURONS} neurons, f32, atan, {}; medians of {ROUNDS} rounds in which all take turns, in ms",
        set.name()
    );
    println!(
        "threads   T pass             model      kernel    copy  of bandwidth       op    plain  plain/op"
    );
    let mut buffers: Option<Buffers> = None;
    for &(threads, time_steps, pass, index) in rows {
        let buffers = match &mut buffers {
            Some(buffers) if buffers.time_steps == time_steps => buffers,
            other => {
                // The old buffers are dropped first: both together would need twice the memory.
                *other = None;
                other.insert(Buffers::new(time_steps))
            }
        };
        let model = models()[index];
        let (kernel, bytes) = (kernel(model), pass.bytes(time_steps));
        let mut times: [Vec<f64>; 4] = Default::default();
        pool(threads).install(|| {
            for round in 0..=ROUNDS {
                let round_times = [
                    milliseconds(|| buffers.copy(bytes)),
                    milliseconds(|| buffers.run(&kernel, pass)),
                    milliseconds(|| buffers.run_tensors(model, pass, Way::Op)),
                    milliseconds(|| buffers.run_tensors(model, pass, Way::Plain)),
                ];
                // The first round is a warm-up.
                if round > 0 {
                    times.iter_mut().zip(round_times).for_each(|(times, time)| times.push(time));
                }
            }
        });
        let ratio = |a: &[f64], b: &[f64]| median(&a.iter().zip(b).map(|(a, b)| a / b).collect::<Vec<_>>());
        let [copy, kernel, op, plain] = &times;
        println!(
            "{threads:7} {time_steps:3} {:16} {:9} {:7.2} {:7.2} {:11.0} % {:8.2} {:8.2} {:9.1}",
            pass.name(),
            model.name(),
            median(kernel),
            median(copy),
            100.0 * ratio(copy, kernel),
            median(op),
            median(plain),
            ratio(plain, op),
        );
    }
}

fn main() {
    runtime::prepare();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--table") {
        let words: Vec<String> = arguments.into_iter().filter(|word| !word.starts_with('-')).collect();
        return table(&rows(&words));
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(250))
        .configure_from_args();
    let ran = benchmarks(&mut criterion);
    criterion.final_summary();
    // `cargo test` and criterion's `--test` and `--list` need no measurement.
    if has("--bench") && !has("--test") && !has("--list") && !ran.is_empty() {
        table(&ran);
    }
}
