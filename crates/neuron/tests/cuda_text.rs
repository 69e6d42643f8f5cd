//! The CUDA kernel source, run on the CPU: compiled as C++ by the system's compiler, with a call for each
//! thread, it must give the results of the scalar reference and the peers.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use libloading::Library;
use tks_golden::{NeuronCase, cases_of_kind, noise, relative_error, surrogate_of, test_neurons};
use tks_neuron::cuda::{Address, BackwardArguments, ForwardArguments, Program, Storage, spike_text};
use tks_neuron::reference::{Learned, State, gradient, run};
use tks_neuron::{Model, Neuron, Surrogate};

/// The built-ins of CUDA's compiler.
const HOST: &str = r#"
#include <cmath>
#include <cstring>
#define __global__
#define __device__ static inline
#define __forceinline__
struct Index { unsigned int x; };
static thread_local Index blockIdx = {0}, threadIdx = {0};
static const Index blockDim = {1};
static inline float __uint_as_float(unsigned int bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline unsigned int __float_as_uint(float value) { unsigned int bits; memcpy(&bits, &value, 4); return bits; }
"#;

type Loop<A> = unsafe extern "C" fn(*const A);

/// Compiles texts, each in its own namespace, into one library: `forward_<k>` and `backward_<k>` run all
/// neurons of text `k`, and `main_text` is added unchanged.
fn compiled(folder: &Path, programs: &[Program], more: &str) -> Library {
    let mut source = HOST.to_owned();
    for (k, program) in programs.iter().enumerate() {
        let _ = writeln!(
            source,
            "#define neuron_forward neuron_forward_{k}\n#define neuron_backward neuron_backward_{k}\nnamespace \
             n{k} {{\n{}}}\n#undef neuron_forward\n#undef neuron_backward\n#undef PARAMETERS\n#undef \
             V_THRESHOLD\n#undef V_REST\n#undef CHUNK\nextern \"C\" void forward_{k}(const void* a) {{\n    const \
             auto& all = *(const n{k}::ForwardArguments*)a;\n    for (blockIdx.x = 0; blockIdx.x < all.neurons; \
             ++blockIdx.x) n{k}::neuron_forward_{k}(all);\n}}\nextern \"C\" void backward_{k}(const void* a) {{\n    \
             const auto& all = *(const n{k}::BackwardArguments*)a;\n    for (blockIdx.x = 0; blockIdx.x < \
             all.neurons; ++blockIdx.x) n{k}::neuron_backward_{k}(all);\n}}",
            program.text
        );
    }
    source.push_str(more);
    let (file, library) = (folder.join("kernels.cpp"), folder.join("kernels.so"));
    std::fs::write(&file, source).unwrap();
    let output = Command::new(std::env::var("CXX").unwrap_or("c++".into()))
        .args(["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-shared", "-fPIC", "-o"])
        .args([&library, &file])
        .output()
        .expect("a C++ compiler is needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // SAFETY: the library has no initialisers.
    unsafe { Library::new(library) }.unwrap()
}

/// The inputs and outputs of a run; `[T, N]` and `[N]`.
#[derive(Default)]
struct Sequence {
    time_steps: usize,
    neurons: usize,
    input: Vec<f32>,
    initial: Option<[Vec<f32>; 2]>,
    parameters: Vec<f32>,
    grad_spikes: Option<Vec<f32>>,
    grad_final: Option<[Vec<f32>; 2]>,
}

struct Outcome {
    spikes: Vec<f32>,
    membranes: Vec<f32>,
    finals: [Vec<f32>; 2],
    grad_input: Vec<f32>,
    grad_initial: [Vec<f32>; 2],
    /// `[P, N]`
    grad_parameters: Vec<f32>,
    grad_threshold: Vec<f32>,
}

fn address(values: Option<&[f32]>) -> Address {
    values.map_or(0, |values| values.as_ptr() as Address)
}

fn address_mut(values: &mut [f32]) -> Address {
    values.as_mut_ptr() as Address
}

fn emulated(library: &Library, k: usize, program: &Program, sequence: &Sequence) -> Outcome {
    let (t, n) = (sequence.time_steps, sequence.neurons);
    let rows = || vec![f32::NAN; t * n];
    let row = || vec![f32::NAN; n];
    let mut outcome = Outcome {
        spikes: rows(),
        membranes: rows(),
        finals: [row(), row()],
        grad_input: rows(),
        grad_initial: [row(), row()],
        grad_parameters: vec![f32::NAN; sequence.parameters.len() * n],
        grad_threshold: row(),
    };
    let initial = sequence.initial.as_ref();
    let [initial_membrane, initial_auxiliary] =
        [0, 1].map(|which| address(initial.map(|initial| &initial[which][..])));
    let parameters = address((!sequence.parameters.is_empty()).then_some(&sequence.parameters));
    let mut checkpoints = vec![f32::NAN; Program::checkpoints(program.chunk, t, n)];
    let grad_final = sequence.grad_final.as_ref();
    let [grad_final_membrane, grad_final_auxiliary] =
        [0, 1].map(|which| address(grad_final.map(|grad| &grad[which][..])));
    let (neurons, time_steps, input) = (n as i64, t as i32, address(Some(&sequence.input)));
    let forward_arguments = ForwardArguments {
        neurons,
        time_steps,
        input,
        initial_membrane,
        initial_auxiliary,
        parameters,
        v_threshold: 0,
        spikes: address_mut(&mut outcome.spikes),
        final_membrane: address_mut(&mut outcome.finals[0]),
        final_auxiliary: address_mut(&mut outcome.finals[1]),
        membranes: address_mut(&mut outcome.membranes),
    };
    let backward_arguments = BackwardArguments {
        neurons,
        time_steps,
        uniform_grad: 1.0,
        input,
        initial_membrane,
        initial_auxiliary,
        parameters,
        v_threshold: 0,
        grad_spikes: address(sequence.grad_spikes.as_deref()),
        grad_final_membrane,
        grad_final_auxiliary,
        grad_input: address_mut(&mut outcome.grad_input),
        grad_initial_membrane: address_mut(&mut outcome.grad_initial[0]),
        grad_initial_auxiliary: address_mut(&mut outcome.grad_initial[1]),
        grad_parameters: address_mut(&mut outcome.grad_parameters),
        grad_v_threshold: address_mut(&mut outcome.grad_threshold),
        checkpoints: address_mut(&mut checkpoints),
    };
    // SAFETY: the signatures are those of the text above; every buffer has the length given in the arguments'
    // documentation.
    unsafe {
        library.get::<Loop<ForwardArguments>>(format!("forward_{k}").as_bytes()).unwrap()(&forward_arguments);
        library.get::<Loop<BackwardArguments>>(format!("backward_{k}").as_bytes()).unwrap()(
            &backward_arguments,
        );
    }
    outcome
}

#[test]
fn golden_neurons_by_the_cuda_text() {
    let cases: Vec<NeuronCase> =
        cases_of_kind("neuron").unwrap().iter().map(|case| NeuronCase::read(case).unwrap()).collect();
    assert!(!cases.is_empty(), "the index lists no neuron");
    let mut programs = Vec::new();
    for case in &cases {
        for neuron in &case.candidates {
            programs.push(Program::new(neuron, Storage::F32, case.time_steps).unwrap());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let library = compiled(folder.path(), &programs, "");
    let mut k = 0;
    for case in &cases {
        let mut verdicts = Vec::new();
        for _ in &case.candidates {
            let sequence = Sequence {
                time_steps: case.time_steps,
                neurons: case.neurons,
                input: case.input.clone(),
                parameters: case.parameters.iter().map(|(value, _)| *value).collect(),
                grad_spikes: Some(case.grad_spikes.clone()),
                ..Sequence::default()
            };
            let outcome = emulated(&library, k, &programs[k], &sequence);
            k += 1;
            let flips = outcome.spikes.iter().zip(&case.spikes).filter(|(a, b)| a != b).count();
            let membranes = relative_error(&outcome.membranes, &case.membranes);
            let grad = relative_error(&outcome.grad_input, &case.grad_input);
            let sums = outcome.grad_parameters.chunks(case.neurons).map(|row| row.iter().sum::<f32>());
            let mut learned = 0f64;
            for (sum, (_, expected)) in sums.zip(&case.parameters) {
                learned = learned.max(relative_error(&[sum], &[*expected]));
            }
            if let Some(expected) = case.grad_v_threshold {
                let sum = outcome.grad_threshold.iter().sum::<f32>();
                learned = learned.max(relative_error(&[sum], &[expected]));
            }
            verdicts.push((flips, membranes, grad, learned));
        }
        let agrees = |&(flips, membranes, grad, learned): &(usize, f64, f64, f64)| {
            flips == 0 && membranes <= 1e-5 && grad <= 1e-5 && learned <= 1e-5
        };
        assert!(verdicts.iter().any(agrees), "{}: {verdicts:?}", case.file);
    }
}

#[test]
fn text_of_every_model_equals_the_reference() {
    // A fifth of them, which includes every model with several options, since compilation takes long.
    let neurons: Vec<Neuron> = test_neurons().into_iter().step_by(5).collect();
    let left_out = Model::all()
        .iter()
        .find(|model| neurons.iter().filter(|neuron| neuron.model.name() == model.name()).count() < 2);
    assert_eq!(left_out, None);
    // Chunks of one, several and all steps; sequences longer than the text was made for.
    let steps = |k: usize| [(1, 7), (4, 11), (40, 37), (6, 6)][k % 4];
    let programs: Vec<_> = neurons
        .iter()
        .enumerate()
        .map(|(k, neuron)| Program::new(neuron, Storage::F32, steps(k).0).unwrap())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let library = compiled(folder.path(), &programs, "");
    let mut fired = 0.0;
    for (k, neuron) in neurons.iter().enumerate() {
        let (t, n) = (steps(k).1, 9);
        let seed = 10 * k as u64;
        let draw = |part: u64, count: usize| noise(seed + part, count);
        let scaled = |values: Vec<f32>| -> Vec<f32> { values.iter().map(|x| 0.9 * x + 0.4).collect() };
        let has_auxiliary = neuron.model.auxiliary_state().is_some();
        let sequence = Sequence {
            time_steps: t,
            neurons: n,
            input: scaled(draw(0, t * n)),
            initial: Some([draw(1, n), if has_auxiliary { draw(2, n) } else { vec![0.0; n] }]),
            parameters: neuron.model.learned().into_iter().map(|(_, value)| value + 0.1).collect(),
            grad_spikes: Some(draw(3, t * n)),
            grad_final: Some([draw(4, n), if has_auxiliary { draw(5, n) } else { vec![0.0; n] }]),
        };
        let outcome = emulated(&library, k, &programs[k], &sequence);
        let mut learned = Learned::initial(neuron);
        learned.parameters.clone_from(&sequence.parameters);
        let column = |rows: &[f32], i: usize| -> Vec<f32> { (0..t).map(|t| rows[t * n + i]).collect() };
        let state = |of: &Option<[Vec<f32>; 2]>, i: usize| {
            let of = of.as_ref().unwrap();
            State { membrane: of[0][i], auxiliary: of[1][i] }
        };
        let (mut expected, mut actual) = (Vec::new(), Vec::new());
        for i in 0..n {
            let input = column(&sequence.input, i);
            let forward = run(neuron, &learned, &input, state(&sequence.initial, i));
            let grad_spikes = column(sequence.grad_spikes.as_ref().unwrap(), i);
            let grad_final = state(&sequence.grad_final, i);
            let backward =
                gradient(neuron, &learned, &input, state(&sequence.initial, i), &grad_spikes, grad_final);
            assert_eq!(column(&outcome.spikes, i), forward.spikes, "{neuron:?}");
            fired += forward.spikes.iter().sum::<f32>();
            let membranes = relative_error(&column(&outcome.membranes, i), &forward.membranes);
            assert!(membranes < 1e-6, "{neuron:?}: membranes off by {membranes:e}");
            let last = [outcome.finals[0][i], outcome.finals[1][i]];
            let error = relative_error(&last, &[forward.state.membrane, forward.state.auxiliary]);
            assert!(error < 1e-6, "{neuron:?}: final state off by {error:e}");
            expected.extend(&backward.input);
            actual.extend(column(&outcome.grad_input, i));
            expected.extend([backward.initial.membrane, backward.v_threshold]);
            actual.extend([outcome.grad_initial[0][i], outcome.grad_threshold[i]]);
            if has_auxiliary {
                expected.push(backward.initial.auxiliary);
                actual.push(outcome.grad_initial[1][i]);
            }
            expected.extend(backward.parameters);
            actual.extend((0..sequence.parameters.len()).map(|p| outcome.grad_parameters[p * n + i]));
        }
        let error = relative_error(&actual, &expected);
        assert!(error < 1e-5, "{neuron:?}: gradients off by {error:e}");
    }
    assert!(fired > 1000.0, "only {fired} spikes: the test would miss what a reset does");
}

#[test]
fn golden_surrogates_by_the_cuda_text() {
    let cases = cases_of_kind("surrogate").unwrap();
    let mut source = String::new();
    for (k, case) in cases.iter().enumerate() {
        let text = spike_text(surrogate_of(case).unwrap(), false, Storage::F32);
        let _ = writeln!(
            source,
            "#define spike_forward spike_forward_{k}\n#define spike_backward \
             spike_backward_{k}\nnamespace s{k} {{\n{text}}}\n#undef spike_forward\n#undef \
             spike_backward\n#undef FIRES\nextern \"C\" void spike_{k}(long long n, const float* u, const \
             float* g, float* s, float* d) {{\n    for (blockIdx.x = 0; blockIdx.x < n; ++blockIdx.x) {{ \
             s{k}::spike_forward_{k}({{n, u, nullptr, s}}); s{k}::spike_backward_{k}({{n, u, g, d}}); }}\n}}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let library = compiled(folder.path(), &[], &source);
    type Spike = unsafe extern "C" fn(i64, *const f32, *const f32, *mut f32, *mut f32);
    for (k, case) in cases.iter().enumerate() {
        let u: Vec<f32> = case.tensor("u").unwrap().into_iter().collect();
        let ones = vec![1.0; u.len()];
        let (mut spikes, mut grad) = (vec![0.0; u.len()], vec![0.0; u.len()]);
        // SAFETY: the signature is that of the text above, and all buffers have the same length.
        unsafe {
            let spike = library.get::<Spike>(format!("spike_{k}").as_bytes()).unwrap();
            spike(u.len() as i64, u.as_ptr(), ones.as_ptr(), spikes.as_mut_ptr(), grad.as_mut_ptr());
        }
        let error = relative_error(&grad, &case.tensor("grad").unwrap());
        assert!(error <= 1e-5, "{}: {error:.2e}", case.file);
        assert!(spikes.iter().zip(&u).all(|(&spike, &u)| spike == f32::from(u >= 0.0)), "{}", case.file);
    }
}

#[test]
fn bf16_is_read_and_rounded_to_the_nearest() {
    let text = spike_text(Surrogate::Atan { alpha: 2.0 }, false, Storage::Bf16);
    let source = format!(
        "{text}\nextern \"C\" void round_trip(long long n, const float* from, unsigned short* to, float* back) \
         {{ for (long long i = 0; i < n; ++i) {{ store(to, i, from[i]); back[i] = load(to, i); }} }}"
    );
    let folder = tempfile::tempdir().unwrap();
    let library = compiled(folder.path(), &[], &source);
    let mut values = noise(3, 10_000);
    values.extend([
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1.0 + 1.0 / 256.0,
        1.0 + 3.0 / 256.0,
    ]);
    let (mut stored, mut back) = (vec![0u16; values.len()], vec![0.0f32; values.len()]);
    type RoundTrip = unsafe extern "C" fn(i64, *const f32, *mut u16, *mut f32);
    // SAFETY: the signature is that of the text above, and all buffers have the same length.
    unsafe {
        let round_trip = library.get::<RoundTrip>(b"round_trip").unwrap();
        round_trip(values.len() as i64, values.as_ptr(), stored.as_mut_ptr(), back.as_mut_ptr());
    }
    for (i, value) in values.iter().enumerate() {
        let expected = half::bf16::from_f32(*value);
        assert!(expected.is_nan() == back[i].is_nan());
        assert!(expected.is_nan() || expected.to_bits() == stored[i], "{value}: {:x}", stored[i]);
    }
}
