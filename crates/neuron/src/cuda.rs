//! CUDA kernel source, generated from the scalar reference: one kernel per neuron with its options, for every
//! model.
//!
//! A thread runs all time steps of one neuron with the membrane potential in registers. The forward kernel
//! reads the input and writes the spikes; the backward kernel recomputes the membrane potentials, `chunk`
//! steps at a time, so that nothing but the input is saved between the two. The caller compiles the kernels
//! at run time (NVRTC); without contraction of products and sums (`--fmad=false`) they give the same spikes
//! as the CPU kernels.
//!
//! ```
//! use tks_neuron::cuda::{Program, Storage};
//! use tks_neuron::Neuron;
//!
//! let program = Program::new(&Neuron::default(), Storage::F32, 4)?;
//! assert!(program.text.contains("void neuron_forward("));
//! # Ok::<(), tks_neuron::NeuronError>(())
//! ```

use std::fmt::Write;

use crate::error::NeuronError;
use crate::neuron::Neuron;
use crate::surrogate::Surrogate;
use crate::tape::{StepTape, derivative_text};

/// The number format of the sequences (input, spikes and their gradients) in memory; states are always `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Storage {
    /// Single precision.
    F32,
    /// bfloat16, the upper half of single precision, rounded to nearest, ties to even. Computation is in
    /// single precision.
    Bf16,
}

/// The most time steps that the backward kernel keeps in registers; longer sequences are processed in chunks.
const MOST_STEPS: usize = 16;

/// NVRTC options for the same results as on the CPU: `expf` and division that round as in C are the default,
/// separate products and sums are not.
pub const COMPILER_OPTIONS: [&str; 1] = ["--fmad=false"];

/// The address of a buffer in device memory; 0 if there is none.
pub type Address = u64;

/// The single parameter of `neuron_forward`, passed by value. `N` is the number of neurons, `T` that of time
/// steps, `S` the [`Storage`]; addresses marked `?` may be 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardArguments {
    /// `N`; one thread each.
    pub neurons: i64,
    /// `T`
    pub time_steps: i32,
    /// `[T, N]` of `S`
    pub input: Address,
    /// `[N]` of `f32`?
    pub initial_membrane: Address,
    /// `[N]` of `f32`?
    pub initial_auxiliary: Address,
    /// `[P]` of `f32`?, in the order of [`Model::learned`](crate::Model::learned)
    pub parameters: Address,
    /// One `f32`?
    pub v_threshold: Address,
    /// `[T, N]` of `S`
    pub spikes: Address,
    /// `[N]` of `f32`?
    pub final_membrane: Address,
    /// `[N]` of `f32`?
    pub final_auxiliary: Address,
    /// `[T, N]` of `f32`?
    pub membranes: Address,
}

/// The single parameter of `neuron_backward`, passed by value. The gradients of learned parameters are per
/// neuron, to be summed by the caller.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct BackwardArguments {
    /// `N`; one thread each.
    pub neurons: i64,
    /// `T`
    pub time_steps: i32,
    /// The gradient of each spike if there are no `grad_spikes`.
    pub uniform_grad: f32,
    /// `[T, N]` of `S`
    pub input: Address,
    /// `[N]` of `f32`?
    pub initial_membrane: Address,
    /// `[N]` of `f32`?
    pub initial_auxiliary: Address,
    /// `[P]` of `f32`?
    pub parameters: Address,
    /// One `f32`?
    pub v_threshold: Address,
    /// `[T, N]` of `S`?
    pub grad_spikes: Address,
    /// `[N]` of `f32`?
    pub grad_final_membrane: Address,
    /// `[N]` of `f32`?
    pub grad_final_auxiliary: Address,
    /// `[T, N]` of `S`
    pub grad_input: Address,
    /// `[N]` of `f32`?
    pub grad_initial_membrane: Address,
    /// `[N]` of `f32`?
    pub grad_initial_auxiliary: Address,
    /// `[P, N]` of `f32`?
    pub grad_parameters: Address,
    /// `[N]` of `f32`?
    pub grad_v_threshold: Address,
    /// [`Program::checkpoints`] of `f32`
    pub checkpoints: Address,
}

/// The single parameter of `spike_forward` and `spike_backward`, passed by value.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct SpikeArguments {
    /// Number of values; one thread each.
    pub count: i64,
    /// `S`
    pub u: Address,
    /// `S`; only for `spike_backward`.
    pub grad_spikes: Address,
    /// Spikes, or the gradient of `u`; `S`.
    pub result: Address,
}

/// Source to compile, and the information needed for a launch: the kernels `neuron_forward`, with
/// [`ForwardArguments`], and `neuron_backward`, with [`BackwardArguments`], with one thread per neuron.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// CUDA C++.
    pub text: String,
    /// Number of time steps that the backward kernel recomputes at a time.
    pub chunk: usize,
}

impl Program {
    /// The program of a neuron for sequences of `time_steps` (longer and shorter ones work too).
    ///
    /// # Errors
    /// The errors of [`Neuron::check`].
    pub fn new(neuron: &Neuron, storage: Storage, time_steps: usize) -> Result<Self, NeuronError> {
        neuron.check()?;
        let chunk = Program::chunk_of(time_steps);
        let mut text = prelude(storage, neuron.surrogate);
        let constants = [("V_THRESHOLD", neuron.v_threshold), ("V_REST", neuron.v_rest())];
        for (constant, value) in constants {
            let _ = writeln!(text, "#define {constant} ({value:e}f)");
        }
        let _ = writeln!(text, "#define CHUNK {chunk}");
        text.push_str(&parameter_functions(neuron));
        text.push_str(&step_functions(neuron));
        text.push_str(include_str!("cuda/neuron.cu"));
        Ok(Program { text, chunk })
    }

    /// The [`Program::chunk`] for sequences of `time_steps`.
    pub fn chunk_of(time_steps: usize) -> usize {
        time_steps.clamp(1, MOST_STEPS)
    }

    /// Number of scratch values that the backward kernel with this `chunk` needs.
    pub fn checkpoints(chunk: usize, time_steps: usize, neurons: usize) -> usize {
        time_steps.div_ceil(chunk).saturating_sub(1) * 2 * neurons
    }
}

/// The source of the plain spike: `spike_forward` and `spike_backward`, both with [`SpikeArguments`] and one
/// thread per value. With `strict` a value above 0 fires, otherwise 0 does too.
pub fn spike_text(surrogate: Surrogate, strict: bool, storage: Storage) -> String {
    let mut text = prelude(storage, surrogate);
    let _ = writeln!(text, "#define FIRES(u) ((u) {} 0.0f)", if strict { ">" } else { ">=" });
    text.push_str(include_str!("cuda/spike.cu"));
    text
}

fn prelude(storage: Storage, surrogate: Surrogate) -> String {
    let storage = match storage {
        Storage::F32 => include_str!("cuda/f32.cu"),
        Storage::Bf16 => include_str!("cuda/bf16.cu"),
    };
    format!("{storage}{}", derivative_text(surrogate, "__device__ __forceinline__"))
}

/// `PARAMETERS`, the number of the model's learned parameters, and `read_parameters`, which takes given
/// values or else the initial ones.
fn parameter_functions(neuron: &Neuron) -> String {
    let learned = neuron.model.learned();
    let mut text = format!(
        "#define PARAMETERS {}\n__device__ __forceinline__ void read_parameters(const float* from, float* to) {{\n",
        learned.len()
    );
    for (i, (_, initial)) in learned.iter().enumerate() {
        let _ = writeln!(text, "    to[{i}] = from ? from[{i}] : {initial:e}f;");
    }
    text.push_str("}\n");
    text
}

/// `step` and `step_backward` of the reference, with one statement per operation.
fn step_functions(neuron: &Neuron) -> String {
    let tape = StepTape::new(neuron);
    let own: Vec<&'static str> = neuron.model.learned().into_iter().map(|(name, _)| name).collect();
    let variables = [&["x", "membrane", "auxiliary", "v_threshold"], &own[..]].concat();
    let mut read = String::new();
    let mut add = String::new();
    for (i, name) in own.iter().enumerate() {
        let _ = writeln!(read, "    const float {name} = parameters[{i}];");
        let _ = writeln!(add, "    grad_parameters_[{i}] += grad_{name};");
    }
    let (forward, [spike, membrane, auxiliary]) = tape.forward_text();
    let gradients = ["grad_spike", "grad_next_membrane", "grad_next_auxiliary"];
    let backward = tape.backward_text(gradients, &variables);
    format!(
        "__device__ __forceinline__ float step(float x, float& membrane_, float& auxiliary_, const float* \
         parameters, float v_threshold) {{\n    const float membrane = membrane_, auxiliary = \
         auxiliary_;\n{read}{forward}    membrane_ = {membrane};\n    auxiliary_ = {auxiliary};\n    return \
         {spike};\n}}\n__device__ __forceinline__ float step_backward(float x, float membrane, float auxiliary, \
         const float* parameters, float v_threshold, float grad_spike, float& grad_membrane_, float& \
         grad_auxiliary_, float* grad_parameters_, float& grad_v_threshold_) {{\n    const float \
         grad_next_membrane = grad_membrane_, grad_next_auxiliary = \
         grad_auxiliary_;\n{read}{forward}{backward}    grad_membrane_ = grad_membrane;\n    grad_auxiliary_ = \
         grad_auxiliary;\n{add}    grad_v_threshold_ += grad_v_threshold;\n    return grad_x;\n}}\n"
    )
}
