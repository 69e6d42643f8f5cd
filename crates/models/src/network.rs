//! A network: built from its description, run over sequences.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor, nn};

use crate::architectures;
use crate::builder::Builder;
use crate::checkpoint;
use crate::config::{InputShape, NetworkConfig};
use crate::error::ModelError;
use crate::execution::{Execution, Mode};
use crate::layer::Layer;
use crate::pass::Pass;
use crate::record::RateRecorder;
use crate::summary::{LayerKind, Summary};
use crate::unit::one_value;

/// What a network is shown.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Another picture at each step, `[T, B, C, H, W]`: the frames of a recording.
    Sequence(&'a Tensor),
    /// The same picture `[B, C, H, W]` at each of so many steps ("direct encoding"). Its first convolution and batch
    /// norm are computed once.
    Static(&'a Tensor, usize),
}

/// A spiking network. Time comes first in every tensor, and there is no state to reset: each call begins at rest.
#[derive(Debug)]
pub struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) input: InputShape,
    pub(crate) layers: Vec<Layer>,
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
        let init = architectures::conv_init(config.architecture);
        let mut builder = Builder::new(path, config, input, init)?;
        architectures::build(&mut builder, config)?;
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
        let mut pass = Pass::new(train, *execution);
        if let Some(recorder) = recording.as_mut() {
            recorder.begin();
            pass.watch = Some(recorder);
        }
        self.run(input, &mut pass)
    }

    /// As [`Self::forward`], with what the caller watches.
    pub(crate) fn run(&self, input: Input<'_>, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        self.check_input(input)?;
        let logits = match pass.execution.mode {
            Mode::LayerByLayer => self.layer_by_layer(input, pass)?,
            Mode::StepByStep => self.step_by_step(input, pass)?,
        };
        Ok(logits.f_to_kind(Kind::Float)?)
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
        // What is the same at each step is normalised once.
        let leading = self.layers.iter().find_map(|layer| match layer {
            Layer::Unit(unit) => Some(unit.norm.as_ref()),
            Layer::Block(_) => Some(None),
            _ => None,
        });
        let once = leading.flatten().filter(|_| is_static).map(|norm| norm.name.as_str());
        for layer in self.summary.layers.iter().filter(|layer| layer.kind == LayerKind::BatchNorm) {
            let steps = if once == Some(layer.name.as_str()) { 1 } else { time_steps };
            let plane: usize = layer.output.iter().skip(1).product();
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

    fn layer_by_layer(&self, input: Input<'_>, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        match input {
            Input::Sequence(x) => self.through(&self.layers, &pass.execution.laid_out(x)?, pass),
            Input::Static(x, time_steps) => {
                let lead = self.lead(x, time_steps as i64, pass)?;
                self.follow(&lead, time_steps as i64, pass)
            }
        }
    }

    fn step_by_step(&self, input: Input<'_>, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        if pass.train && self.needs_all_steps() {
            return Err(ModelError::Execution(
                "training step by step: batch norm (and dropout) are over all steps together, which takes \
                 `mode = \"layer_by_layer\"`; step by step is for evaluation and for networks without them"
                    .into(),
            ));
        }
        pass.states = Some(self.neuron_names.iter().map(|_| None).collect());
        let steps: Vec<Tensor> = match input {
            Input::Sequence(x) => {
                let frames = x.f_unbind(0)?.into_iter();
                let run = |frame: Tensor| {
                    let frame = pass.execution.laid_out(&frame.f_unsqueeze(0)?)?;
                    self.through(&self.layers, &frame, pass)
                };
                frames.map(run).collect::<Result<_, _>>()?
            }
            Input::Static(x, time_steps) => {
                let lead = self.lead(x, time_steps as i64, pass)?;
                (0..time_steps).map(|_| self.follow(&lead, 1, pass)).collect::<Result<_, _>>()?
            }
        };
        Ok(Tensor::f_cat(&steps, 0)?)
    }

    fn needs_all_steps(&self) -> bool {
        let has_norm = self.summary.layers.iter().any(|layer| layer.kind == LayerKind::BatchNorm);
        has_norm || self.layers.iter().any(|layer| matches!(layer, Layer::Dropout { rate } if *rate > 0.0))
    }

    /// What is the same at each step of a static input: everything up to the first neurons.
    fn lead(&self, x: &Tensor, time_steps: i64, pass: &mut Pass<'_>) -> Result<Lead, ModelError> {
        let mut x = pass.execution.laid_out(x)?;
        for (at, layer) in self.layers.iter().enumerate() {
            match layer {
                Layer::Unit(unit) => {
                    let current = unit.current_of_static(&x, time_steps, pass)?;
                    return Ok(Lead { at, current });
                }
                Layer::Block(_) => return Ok(Lead { at, current: x }),
                _ => x = layer.without_time(&x, 1, pass)?,
            }
        }
        Ok(Lead { at: self.layers.len(), current: x })
    }

    /// Goes on from what [`Self::lead`] gave, which arrives at each of `time_steps` steps.
    fn follow(&self, lead: &Lead, time_steps: i64, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        let size = lead.current.size();
        let shape: Vec<i64> = std::iter::once(time_steps).chain(size).collect();
        let steps = lead.current.f_unsqueeze(0)?.f_expand(shape.as_slice(), false)?;
        match self.layers.get(lead.at) {
            Some(Layer::Unit(unit)) => {
                let first = match &unit.neurons {
                    Some(neurons) => neurons.fire(&steps, None, pass)?,
                    None => steps,
                };
                self.through(&self.layers[lead.at + 1..], &first, pass)
            }
            _ => self.through(&self.layers[lead.at..], &steps, pass),
        }
    }

    /// `x` of shape `[T, B, ...]` through some of the layers.
    fn through(&self, layers: &[Layer], x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        let mut x = x.shallow_clone();
        for layer in layers {
            x = if checkpoint::applies(layer, pass) {
                checkpoint::forward(layer, &x, pass)?
            } else {
                layer.forward(&x, pass)?
            };
        }
        Ok(x)
    }
}

/// Where the first neurons stand in a network, and what reaches them, `[B, ...]`.
struct Lead {
    at: usize,
    current: Tensor,
}
