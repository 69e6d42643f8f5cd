//! A network: built from its description, run over sequences.

use tch::{Kind, Tensor, nn};

use crate::architectures::ArchitecturePlan;
use crate::builder::Builder;
use crate::checkpoint;
use crate::config::{InputShape, NetworkConfig, check_rate, check_size};
use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::execution::Mode;
use crate::layers::{Layer, StaticPart};
use crate::model::{SpikingModel, check_input};
use crate::summary::Summary;

/// The input of a network.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A different image at each step, `[T, B, C, H, W]`: the frames of a recording.
    Sequence(&'a Tensor),
    /// The same image `[B, C, H, W]` at each of a number of steps ("direct encoding"). The first convolution
    /// and batch norm are computed once.
    Static(&'a Tensor, usize),
}

/// A spiking network of layers that run in sequence; its methods are in [`SpikingModel`]. Time is the first
/// dimension of every tensor, and there is no state to reset: each call begins at rest.
#[derive(Debug)]
pub struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) input: InputShape,
    pub(crate) layers: Vec<Box<dyn Layer>>,
    pub(crate) neuron_names: Vec<String>,
    pub(crate) tensors: Vec<(String, Tensor)>,
    pub(crate) summary: Summary,
}

impl Network {
    /// Builds the network for inputs of this shape, with its parameters and running statistics under `path`,
    /// under the names used by its peer. Weights are initialised like the peer's, drawn from torch's global
    /// generator, so they are reproducible after `tch::manual_seed`.
    ///
    /// # Errors
    /// The errors of [`NetworkConfig::check`], a layer that does not fit the shape of its input, and
    /// [`ModelError::NameTaken`].
    pub fn new(path: &nn::Path<'_>, config: &NetworkConfig, input: InputShape) -> Result<Self, ModelError> {
        config.check()?;
        Network::from_plan(path, config, input, config.architecture.plan())
    }

    /// Like [`Self::new`], with a plan that needs no name: `config.architecture` and `config.layers` are
    /// ignored.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a number of classes or a dropout rate out of range and for the errors of
    /// the plan's own check; a layer that does not fit the shape of its input, and [`ModelError::NameTaken`].
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
        })
    }

    /// The description from which the network was built.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The names of the layers of neurons, in the order in which they were built.
    pub fn neuron_names(&self) -> &[String] {
        &self.neuron_names
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

    /// Computes the part that is the same at each step of a static input: everything before the first
    /// neurons.
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

    /// Continues after the static prefix, which is repeated at each of `time_steps` steps.
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

impl SpikingModel for Network {
    fn input_shape(&self) -> InputShape {
        self.input
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn named_tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    fn run(&self, input: Input<'_>, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        check_input(self.input, self.device(), input)?;
        let logits = match context.execution().mode {
            Mode::LayerByLayer => self.layer_by_layer(input, context)?,
            Mode::StepByStep => self.step_by_step(input, context)?,
        };
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    fn describe_layers(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let layers = self.layers.iter().map(|layer| layer.describe()).collect::<Result<Vec<_>, _>>()?;
        Ok(layers.into_iter().flatten().collect())
    }
}

/// Passes `x` of shape `[T, B, ...]` through some of a network's layers.
fn through(
    layers: &[Box<dyn Layer>],
    x: &Tensor,
    context: &mut ForwardContext<'_>,
) -> Result<Tensor, ModelError> {
    layers.iter().try_fold(x.shallow_clone(), |x, layer| checkpoint::forward(&**layer, &x, context))
}

/// The result of the steps of a network that are the same for a static input.
struct StaticPrefix {
    /// The index of the layer to continue with.
    at: usize,
    /// Whether that layer's own static prefix has been computed.
    begun: bool,
    /// `[B, ...]`
    current: Tensor,
}
