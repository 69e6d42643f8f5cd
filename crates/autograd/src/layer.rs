//! A layer of neurons: a neuron's configuration, its learned parameters, and recorded firing rates.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};
use tks_neuron::kernel::Kernel;
use tks_neuron::{Neuron, ResetTime};

use crate::batch_norm::{BatchNorm, batch_norm_multi_step};
use crate::cuda;
use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, multi_step};
use crate::plain;

/// Options of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerOptions {
    /// Whether to learn the threshold too, starting from the neuron's.
    pub learn_threshold: bool,
    /// The implementation to use.
    pub backend: Backend,
}

/// The implementation of neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Backend {
    /// The fused kernels if there is one for the model and the input's device (and, on a GPU, NVRTC is
    /// installed); otherwise plain operations.
    #[default]
    Auto,
    /// The fused kernels; an error if there is none.
    Fused,
    /// Plain libtorch operations.
    Plain,
}

impl Backend {
    /// Whether there is a fused kernel for this neuron on this device.
    pub fn is_fused(self, neuron: &Neuron, device: Device) -> bool {
        match self {
            Backend::Fused => true,
            Backend::Plain => false,
            Backend::Auto if device.is_cuda() => cuda::is_compiler_present(),
            Backend::Auto => device == Device::Cpu && Kernel::new(neuron).is_ok(),
        }
    }
}

/// A layer of neurons. State is an argument and a result, so there is nothing to reset.
///
/// ```
/// use tch::{Device, Kind, Tensor, nn};
/// use tks_autograd::{LayerOptions, NeuronLayer};
/// use tks_neuron::{Model, Neuron};
///
/// let store = nn::VarStore::new(Device::Cpu);
/// let neuron = Neuron::new(Model::Plif { init_tau: 2.0, decay_input: true });
/// let layer = NeuronLayer::new(&store.root(), neuron, LayerOptions::default())?;
/// assert_eq!(store.variables().keys().collect::<Vec<_>>(), ["w"]);
///
/// layer.start_recording();
/// let x = Tensor::rand([8, 2, 5], (Kind::Float, Device::Cpu)) * 3.0;
/// let output = layer.forward(&x, None)?;
/// let rates = layer.take_firing_rates();
/// assert_eq!(rates.len(), 8);
/// // The sequence goes on from the state that it left.
/// let _more = layer.forward(&x, Some(&output.state))?;
/// # Ok::<(), tks_autograd::AutogradError>(())
/// ```
#[derive(Debug)]
pub struct NeuronLayer {
    neuron: Neuron,
    backend: Backend,
    /// In the order of `Model::learned`.
    parameters: Vec<Tensor>,
    v_threshold: Option<Tensor>,
    /// The sum of firing rates at each time step and the number of calls; `None`: off.
    recording: RefCell<Option<(Vec<f64>, f64)>>,
}

impl NeuronLayer {
    /// Makes the layer, with its learned parameters (those of `Model::learned`, `v_threshold`) under `path`
    /// as zero-dimensional tensors.
    ///
    /// # Errors
    /// The errors of [`Neuron::check`].
    pub fn new(path: &nn::Path<'_>, neuron: Neuron, options: LayerOptions) -> Result<Self, AutogradError> {
        neuron.check()?;
        let learned = |name: &str, value: f32| path.var(name, &[], nn::Init::Const(f64::from(value)));
        Ok(NeuronLayer {
            neuron,
            backend: options.backend,
            parameters: neuron
                .model
                .learned()
                .into_iter()
                .map(|(name, value)| learned(name, value))
                .collect(),
            v_threshold: options.learn_threshold.then(|| learned("v_threshold", neuron.v_threshold)),
            recording: RefCell::new(None),
        })
    }

    /// The neuron's configuration.
    pub fn neuron(&self) -> &Neuron {
        &self.neuron
    }

    /// The learned values, for [`crate::multi_step`](crate::multi_step()) and [`crate::membranes`].
    pub fn learned(&self) -> LearnedTensors<'_> {
        LearnedTensors { parameters: &self.parameters, v_threshold: self.v_threshold.as_ref() }
    }

    /// Runs the layer over `input`, `[T, B, ...]`, from `state` or from rest. For a single step, use a
    /// sequence of length 1.
    ///
    /// # Errors
    /// [`AutogradError`] if shapes, kinds or devices do not match.
    pub fn forward(&self, input: &Tensor, state: Option<&State>) -> Result<Output, AutogradError> {
        self.forward_by(self.backend, None, input, state)
    }

    /// Batch norm over `[T, B, C, ...]`, then the layer; one operation if fused.
    ///
    /// # Errors
    /// [`AutogradError`] if shapes, kinds or devices do not match.
    pub fn forward_normalized(
        &self,
        norm: &BatchNorm<'_>,
        input: &Tensor,
        state: Option<&State>,
    ) -> Result<Output, AutogradError> {
        self.forward_by(self.backend, Some(norm), input, state)
    }

    /// Like [`Self::forward`], or [`Self::forward_normalized`] if there is a norm, but with a given backend
    /// instead of the layer's own.
    ///
    /// # Errors
    /// [`AutogradError`] if shapes, kinds or devices do not match.
    pub fn forward_by(
        &self,
        backend: Backend,
        norm: Option<&BatchNorm<'_>>,
        input: &Tensor,
        state: Option<&State>,
    ) -> Result<Output, AutogradError> {
        let output = match (backend.is_fused(&self.neuron, input.device()), norm) {
            (true, Some(norm)) => batch_norm_multi_step(norm, &self.neuron, input, state, self.learned())?,
            (true, None) => multi_step(&self.neuron, input, state, self.learned())?,
            (false, Some(norm)) => {
                plain::multi_step(&self.neuron, &norm.apply(input)?, state, self.learned())?
            }
            (false, None) => plain::multi_step(&self.neuron, input, state, self.learned())?,
        };
        self.record(&output.spikes)?;
        Ok(output)
    }

    /// The current threshold: the learned value, if it is learned; for an adaptive threshold, the value at
    /// rest.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn v_threshold(&self) -> Result<f64, AutogradError> {
        match &self.v_threshold {
            Some(learned) => Ok(learned.f_detach()?.f_reshape([])?.f_double_value(&[])?),
            None => Ok(f64::from(self.neuron.v_threshold)),
        }
    }

    /// The membrane potential at the last step of `input`, `[T, B, ...]`, before that step's reset: the value
    /// that is compared with the threshold, `[B, ...]` in `f32`, detached from the graph. Batch norm and
    /// state are as in [`Self::forward_by`]; calling it with `T` = 1 and the state of each step gives a
    /// trace.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`AutogradError::Shape`] if there is no time step.
    pub fn charged_membrane(
        &self,
        norm: Option<&BatchNorm<'_>>,
        input: &Tensor,
        state: Option<&State>,
    ) -> Result<Tensor, AutogradError> {
        tch::no_grad(|| {
            let input = norm.map_or_else(|| Ok(input.shallow_clone()), |norm| norm.apply(input))?;
            let steps = input.size().first().copied().unwrap_or(0);
            if steps == 0 {
                let expected = "[T, B, ...] with a step".to_string();
                return Err(AutogradError::Shape { tensor: "input", actual: input.size(), expected });
            }
            let before = match steps {
                1 => None,
                steps => Some(plain::multi_step(
                    &self.neuron,
                    &input.f_narrow(0, 0, steps - 1)?,
                    state,
                    self.learned(),
                )?),
            };
            let state = before.as_ref().map(|output| &output.state).or(state);
            // A neuron that cannot reach its threshold is not reset. If a spike resets the membrane at the
            // next step, that threshold decides whether the last spike did, and the membrane potential is
            // left as compared.
            let never = Tensor::f_full([0i64; 0], 1e30, (Kind::Float, input.device()))?;
            let mut learned = self.learned();
            if self.neuron.reset_time == ResetTime::SameStep {
                learned.v_threshold = Some(&never);
            }
            let last = input.f_narrow(0, steps - 1, 1)?;
            Ok(plain::multi_step(&self.neuron, &last, state, learned)?.state.membrane)
        })
    }

    /// A second handle to the same layer, with the same parameter tensors. It records nothing.
    #[must_use]
    pub fn share(&self) -> NeuronLayer {
        NeuronLayer {
            neuron: self.neuron,
            backend: self.backend,
            parameters: self.parameters.iter().map(Tensor::shallow_clone).collect(),
            v_threshold: self.v_threshold.as_ref().map(Tensor::shallow_clone),
            recording: RefCell::new(None),
        }
    }

    /// Starts recording firing rates from zero. Recording is off by default and then costs nothing.
    pub fn start_recording(&self) {
        *self.recording.borrow_mut() = Some((Vec::new(), 0.0));
    }

    /// The firing rate of each step, averaged over neurons and calls since [`Self::start_recording`]; ends
    /// the recording. Empty if nothing was recorded. Calls shorter than the longest count as silent after
    /// their end.
    pub fn take_firing_rates(&self) -> Vec<f64> {
        let Some((sums, calls)) = self.recording.borrow_mut().take() else { return Vec::new() };
        sums.into_iter().map(|sum| sum / calls).collect()
    }

    fn record(&self, spikes: &Tensor) -> Result<(), AutogradError> {
        let mut recording = self.recording.borrow_mut();
        let Some((sums, calls)) = recording.as_mut() else { return Ok(()) };
        let rates = spikes.f_detach()?.f_flatten(1, -1)?.f_mean_dim(1i64, false, Kind::Double)?;
        let rates = Vec::<f64>::try_from(rates)?;
        sums.resize(sums.len().max(rates.len()), 0.0);
        for (sum, rate) in sums.iter_mut().zip(rates) {
            *sum += rate;
        }
        *calls += 1.0;
        Ok(())
    }
}
