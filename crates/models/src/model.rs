//! What a trainer needs of a network: [`SpikingModel`].

use std::fmt::Debug;
use std::path::Path;

use tch::{Device, Tensor};

use crate::config::InputShape;
use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::{Mismatch, ModelError};
use crate::execution::Execution;
use crate::layers::one_value;
use crate::network::Input;
use crate::observer::Observer;
use crate::record::{self, LayerTrace, NonFinite, NormGap, SynapticActivity};
use crate::summary::{LayerKind, Summary};
use crate::weights;

/// A spiking network that can be trained, evaluated and described.
///
/// [`crate::Network`] is one, made of layers that run one after the other. A network that is none of this kind (with feedback
/// between its layers, say) implements the four methods without a default, and is chosen by name where
/// [`crate::ArchitecturePlan::model`] makes it. What an observer sees of it is what [`Self::run`] shows to
/// [`ForwardContext::observer`]: without that its firing rates and traces are empty.
///
/// ```
/// use tch::{Device, nn};
/// use tks_models::{Architecture, InputShape, Network, NetworkConfig, SpikingModel};
///
/// fn count(model: &dyn SpikingModel) -> usize {
///     model.summary().parameters()
/// }
///
/// let store = nn::VarStore::new(Device::Cpu);
/// let config = NetworkConfig { architecture: Architecture::Small, width: 8, ..NetworkConfig::default() };
/// let network = Network::new(&store.root(), &config, InputShape::new(1, 28, 28))?;
/// assert_eq!(count(&network), 8834);
/// # Ok::<(), tks_models::ModelError>(())
/// ```
pub trait SpikingModel: Debug {
    /// The shape of a sample at one step.
    fn input_shape(&self) -> InputShape;

    /// The layers, with their shapes, parameters and operations.
    fn summary(&self) -> &Summary;

    /// Every tensor by its name, in an order that does not change: parameters (those that require a gradient) and running
    /// statistics.
    fn named_tensors(&self) -> &[(String, Tensor)];

    /// Runs the network from rest; logits of each step, `[T, B, K]` in `f32`. `context` says how, and whether somebody
    /// observes it.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape than the network was built for, [`ModelError::Execution`] for a way that it
    /// cannot run.
    fn run(&self, input: Input<'_>, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError>;

    /// The layers in the order in which they run, with what was learned by their neurons: what an export holds for other
    /// programs. Default: none.
    ///
    /// # Errors
    /// What libtorch refuses.
    fn describe_layers(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(Vec::new())
    }

    /// The device of the parameters.
    fn device(&self) -> Device {
        self.named_tensors().first().map_or(Device::Cpu, |(_, tensor)| tensor.device())
    }

    /// Runs the network from rest; logits of each step, `[T, B, K]` in `f32`.
    ///
    /// `train`: batch norm by the statistics of all steps and samples together, which also move the running ones, and
    /// dropout; else by the running ones. Gradients are recorded unless the caller forbids it (`tch::no_grad`).
    ///
    /// # Errors
    /// As [`Self::run`]; [`ModelError::Execution`] for training step by step with batch norm or dropout.
    fn forward(&self, input: Input<'_>, train: bool, execution: &Execution) -> Result<Tensor, ModelError> {
        self.run(input, &mut ForwardContext::new(train, *execution))
    }

    /// As [`Self::forward`], seen by an observer, such as [`crate::FiringRates`].
    ///
    /// # Errors
    /// As [`Self::forward`], and what the observer finds.
    fn forward_observed(
        &self,
        input: Input<'_>,
        train: bool,
        execution: &Execution,
        observer: &mut dyn Observer,
    ) -> Result<Tensor, ModelError> {
        observer.begin();
        self.run(input, &mut ForwardContext::new(train, *execution).observed(observer))
    }

    /// Checks that every batch norm gets more than one value a channel from a training batch of so many samples: the
    /// variance of one value is not defined. `is_static`: for [`Input::Static`].
    ///
    /// # Errors
    /// [`ModelError::Execution`] with the first batch norm that does not.
    fn check_training_batch(
        &self,
        samples: usize,
        time_steps: usize,
        is_static: bool,
    ) -> Result<(), ModelError> {
        for layer in self.summary().layers.iter().filter(|layer| layer.kind == LayerKind::BatchNorm) {
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

    /// Spikes and membranes of sample `sample` of the input, in evaluation: of each layer at most `neurons` of its
    /// neurons, evenly spread over it.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`ModelError::Input`] where there is no such sample.
    fn trace(
        &self,
        input: Input<'_>,
        sample: usize,
        neurons: usize,
        execution: &Execution,
    ) -> Result<Vec<LayerTrace>, ModelError> {
        record::trace(self, input, sample, neurons, execution)
    }

    /// How much of each convolution's and linear layer's input is not zero, in evaluation: with
    /// [`crate::LayerSummary::macs`] it gives the synaptic operations. In the order of the forward pass.
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn synaptic_activity(
        &self,
        input: Input<'_>,
        execution: &Execution,
    ) -> Result<Vec<SynapticActivity>, ModelError> {
        record::synaptic_activity(self, input, execution)
    }

    /// How far the running statistics of each batch norm are from those of this batch, as training sees it. Changes
    /// nothing. Empty for a network without batch norm.
    ///
    /// # Errors
    /// As [`Self::forward`] in training.
    fn norm_gaps(&self, input: Input<'_>, execution: &Execution) -> Result<Vec<NormGap>, ModelError> {
        record::norm_gaps(self, input, execution)
    }

    /// The first layer whose output, or else the first parameter whose value, is not finite; `None` where all are.
    /// Computes the network once more without a gradient, and leaves the running statistics as they are.
    ///
    /// # Errors
    /// As [`Self::forward`].
    fn locate_non_finite(
        &self,
        input: Input<'_>,
        train: bool,
        execution: &Execution,
    ) -> Result<Option<NonFinite>, ModelError> {
        record::locate_non_finite(self, input, train, execution)
    }

    /// Loads the network's tensors from a safetensors file, such as a peer's state dictionary. All are checked before
    /// the first is changed.
    ///
    /// Strict: every tensor of the network has to be in the file and the other way round (but for batch norm's
    /// `num_batches_tracked`). Else what the two have in common is loaded. Returns what the two do not have in common:
    /// nothing where strict.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a file that is none, [`ModelError::Weights`] where tensors are of another shape or,
    /// where strict, missing or surplus.
    fn load_safetensors(&self, path: &Path, strict: bool) -> Result<Mismatch, ModelError> {
        weights::load_safetensors(self.named_tensors(), path, strict)
    }
}

/// Checks the shape, the kind and the device of an input.
pub(crate) fn check_input(shape: InputShape, device: Device, input: Input<'_>) -> Result<(), ModelError> {
    let InputShape { channels, height, width } = shape;
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
        let expected = format!("[{form}, {channels}, {height}, {width}], of one step, one sample or more");
        return Err(ModelError::Input { actual: size, expected });
    }
    if !tensor.is_floating_point() {
        let expected = format!("floating-point numbers, not {:?}", tensor.kind());
        return Err(ModelError::Input { actual: size, expected });
    }
    if tensor.device() != device {
        let expected = format!("tensors on {device:?}, not on {:?}", tensor.device());
        return Err(ModelError::Input { actual: size, expected });
    }
    Ok(())
}
