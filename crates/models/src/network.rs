//! A network: built from its description, run over sequences.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor, nn};

use crate::architectures::ArchitecturePlan;
use crate::builder::Builder;
use crate::checkpoint;
use crate::config::{InputShape, NetworkConfig, check_rate, check_size};
use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::execution::{Execution, Mode};
use crate::layers::{Layer, StaticPart, one_value};
use crate::observer::Observer;
use crate::record::RateRecorder;
use crate::summary::{LayerKind, Summary};

/// What a network is shown.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Another image at each step, `[T, B, C, H, W]`: the frames of a recording.
    Sequence(&'a Tensor),
    /// The same image `[B, C, H, W]` at each of so many steps ("direct encoding"). Its first convolution and batch
    /// norm are computed once.
    Static(&'a Tensor, usize),
}

/// A spiking network. Time comes first in every tensor, and there is no state to reset: each call begins at rest.
#[derive(Debug)]
pub struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) input: InputShape,
    pub(crate) layers: Vec<Box<dyn Layer>>,
    pub(crate) neuron_names: Vec<String>,
    pub(crate) tensors: Vec<(String, Tensor)>,
    pub(crate) summary: Summary,
    pub(crate) recording: RefCell<Option<RateRecorder>>,
}

impl Network {
    /// Builds the network for inputs of this shape, with its parameters and running statistics under `path`, by the
    /// names that its peer gives them. Weights start as the peer's do, drawn from torch's global generator: after
    /// `tch::manual_seed` they are the same each time.
    ///
    /// # Errors
    /// What [`NetworkConfig::check`] finds, a layer that does not fit the shape of what it gets, and
    /// [`ModelError::NameTaken`].
    pub fn new(path: &nn::Path<'_>, config: &NetworkConfig, input: InputShape) -> Result<Self, ModelError> {
        config.check()?;
        Network::from_plan(path, config, input, config.architecture.plan())
    }

    /// As [`Self::new`], by a plan that needs no name: `config.architecture` and `config.layers` say nothing here.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a number of classes or a dropout out of range and for what the plan's own check finds; a
    /// layer that does not fit the shape of what it gets, and [`ModelError::NameTaken`].
    pub fn from_plan(
        path: &nn::Path<'_>,
        config: &NetworkConfig,
        input: InputShape,
        plan: &dyn ArchitecturePlan,
    ) -> Result<Self, ModelError> {
        check_size("classes", config.classes)?;
        check_rate("dropout", config.dropout)?;
        plan.check()?;
        let mut builder = Builder::new(path, config, input, plan.weight_init())?;
        plan.build(&mut builder)?;
        builder.check_logits()?;
        let Builder { layers, neuron_names, tensors, summary, .. } = builder;
        Ok(Network {
            config: config.clone(),
            input,
            layers,
            neuron_names,
            tensors,
            summary: Summary { layers: summary },
            recording: RefCell::new(None),
        })
    }

    /// The description from which the network was built.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The shape of a sample at one step.
    pub fn input_shape(&self) -> InputShape {
        self.input
    }

    /// The layers, with their shapes, parameters and operations.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The names of the layers of neurons, in the order in which they were built.
    pub fn neuron_names(&self) -> &[String] {
        &self.neuron_names
    }

    /// Every tensor by its name, in the order in which they were built: parameters and running statistics.
    pub fn named_tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.tensors.first().map_or(Device::Cpu, |(_, tensor)| tensor.device())
    }

    /// Runs the network from rest; logits of each step, `[T, B, K]` in `f32`.
    ///
    /// `train`: batch norm by the statistics of all steps and samples together, which also move the running ones, and
    /// dropout; else by the running ones. Gradients are recorded unless the caller forbids it (`tch::no_grad`).
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape than the network was built for, [`ModelError::Execution`] for training
    /// step by step with batch norm or dropout.
    pub fn forward(
        &self,
        input: Input<'_>,
        train: bool,
        execution: &Execution,
    ) -> Result<Tensor, ModelError> {
        let mut recording = self.recording.borrow_mut();
        let mut context = ForwardContext::new(train, *execution);
        if let Some(recorder) = recording.as_mut() {
            recorder.begin();
            context = context.observed(recorder);
        }
        self.run(input, &mut context)
    }

    /// As [`Self::forward`], seen by an observer.
    ///
    /// # Errors
    /// As [`Self::forward`], and what the observer finds.
    pub fn forward_observed(
        &self,
        input: Input<'_>,
        train: bool,
        execution: &Execution,
        observer: &mut dyn Observer,
    ) -> Result<Tensor, ModelError> {
        self.run(input, &mut ForwardContext::new(train, *execution).observed(observer))
    }

    pub(crate) fn run(
        &self,
        input: Input<'_>,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        self.check_input(input)?;
        let logits = match context.execution().mode {
            Mode::LayerByLayer => self.layer_by_layer(input, context)?,
            Mode::StepByStep => self.step_by_step(input, context)?,
        };
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    /// The layers in the order in which they run, with what was learned by their neurons.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn describe_layers(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let layers = self.layers.iter().map(|layer| layer.describe()).collect::<Result<Vec<_>, _>>()?;
        Ok(layers.into_iter().flatten().collect())
    }

    /// Checks that every batch norm gets more than one value a channel from a training batch of so many samples: the
    /// variance of one value is not defined. `is_static`: for [`Input::Static`].
    ///
    /// # Errors
    /// [`ModelError::Execution`] with the first batch norm that does not.
    pub fn check_training_batch(
        &self,
        samples: usize,
        time_steps: usize,
        is_static: bool,
    ) -> Result<(), ModelError> {
        for layer in self.summary.layers.iter().filter(|layer| layer.kind == LayerKind::BatchNorm) {
            // What is the same at each step is normalised once.
            let steps = if is_static && layer.is_static { 1 } else { time_steps };
            // `[C, H, W]`, `[F]`, or tokens `[N, D]`: what stands beside the channels.
            let plane: usize = match layer.output.as_slice() {
                [tokens, _] => *tokens,
                sizes => sizes.iter().skip(1).product(),
            };
            if samples * steps * plane < 2 {
                return Err(one_value(&layer.name, samples as i64));
            }
        }
        Ok(())
    }

    fn check_input(&self, input: Input<'_>) -> Result<(), ModelError> {
        let InputShape { channels, height, width } = self.input;
        let sample = [channels, height, width].map(|size| size as i64);
        let (tensor, leading, time_steps) = match input {
            Input::Sequence(x) => (x, 2, x.size().first().copied().unwrap_or(0)),
            Input::Static(x, time_steps) => (x, 1, time_steps as i64),
        };
        let size = tensor.size();
        let fits =
            size.len() == leading + 3 && size[leading..] == sample && size[leading - 1] > 0 && time_steps > 0;
        if !fits {
            let form = if leading == 2 { "T, B" } else { "B" };
            let expected =
                format!("[{form}, {channels}, {height}, {width}], of one step, one sample or more");
            return Err(ModelError::Input { actual: size, expected });
        }
        if !tensor.is_floating_point() {
            let expected = format!("floating-point numbers, not {:?}", tensor.kind());
            return Err(ModelError::Input { actual: size, expected });
        }
        if tensor.device() != self.device() {
            let expected = format!("tensors on {:?}, not on {:?}", self.device(), tensor.device());
            return Err(ModelError::Input { actual: size, expected });
        }
        Ok(())
    }

    fn layer_by_layer(
        &self,
        input: Input<'_>,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        match input {
            Input::Sequence(x) => through(&self.layers, &context.execution().laid_out(x)?, context),
            Input::Static(x, time_steps) => {
                let prefix = self.static_prefix(x, time_steps as i64, context)?;
                self.run_suffix(&prefix, time_steps as i64, context)
            }
        }
    }

    fn step_by_step(&self, input: Input<'_>, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        if context.is_training() && self.layers.iter().any(|layer| layer.needs_all_steps()) {
            return Err(ModelError::Execution(
                "training step by step: batch norm (and dropout) are over all steps together, which takes \
                 `mode = \"layer_by_layer\"`; step by step is for evaluation and for networks without them"
                    .into(),
            ));
        }
        context.states = Some(self.neuron_names.iter().map(|_| None).collect());
        let steps: Vec<Tensor> = match input {
            Input::Sequence(x) => {
                let frames = x.f_unbind(0)?.into_iter();
                let run = |frame: Tensor| {
                    let frame = context.execution().laid_out(&frame.f_unsqueeze(0)?)?;
                    through(&self.layers, &frame, context)
                };
                frames.map(run).collect::<Result<_, _>>()?
            }
            Input::Static(x, time_steps) => {
                let prefix = self.static_prefix(x, time_steps as i64, context)?;
                (0..time_steps).map(|_| self.run_suffix(&prefix, 1, context)).collect::<Result<_, _>>()?
            }
        };
        Ok(Tensor::f_cat(&steps, 0)?)
    }

    /// What is the same at each step of a static input: everything up to the first neurons.
    fn static_prefix(
        &self,
        x: &Tensor,
        time_steps: i64,
        context: &mut ForwardContext<'_>,
    ) -> Result<StaticPrefix, ModelError> {
        let mut current = context.execution().laid_out(x)?;
        for (at, layer) in self.layers.iter().enumerate() {
            let part = layer.static_part();
            if part == StaticPart::None {
                return Ok(StaticPrefix { at, begun: false, current });
            }
            current = layer.static_prefix(&current, time_steps, context)?;
            if part == StaticPart::Prefix {
                return Ok(StaticPrefix { at, begun: true, current });
            }
        }
        Ok(StaticPrefix { at: self.layers.len(), begun: false, current })
    }

    /// Goes on from the static prefix, which arrives at each of `time_steps` steps.
    fn run_suffix(
        &self,
        prefix: &StaticPrefix,
        time_steps: i64,
        context: &mut ForwardContext<'_>,
    ) -> Result<Tensor, ModelError> {
        let size = prefix.current.size();
        let shape: Vec<i64> = std::iter::once(time_steps).chain(size).collect();
        let steps = prefix.current.f_unsqueeze(0)?.f_expand(shape.as_slice(), false)?;
        match self.layers[prefix.at..].split_first() {
            Some((layer, rest)) if prefix.begun => {
                through(rest, &layer.run_suffix(&steps, context)?, context)
            }
            _ => through(&self.layers[prefix.at..], &steps, context),
        }
    }
}

/// `x` of shape `[T, B, ...]` through some of a network's layers.
fn through(
    layers: &[Box<dyn Layer>],
    x: &Tensor,
    context: &mut ForwardContext<'_>,
) -> Result<Tensor, ModelError> {
    layers.iter().try_fold(x.shallow_clone(), |x, layer| checkpoint::forward(&**layer, &x, context))
}

/// How far a static input goes before its steps differ.
struct StaticPrefix {
    /// The layer that goes on.
    at: usize,
    /// Whether that layer's own static prefix is done.
    begun: bool,
    /// `[B, ...]`
    current: Tensor,
}
