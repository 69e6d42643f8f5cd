//! The interface between a network and a trainer: [`SpikingModel`].

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
/// [`crate::Network`] is one, consisting of layers that run in sequence. A network of another kind (for
/// example, with feedback between its layers) implements the four methods without a default, and can be
/// selected by name if [`crate::ArchitecturePlan::model`] creates it. An observer sees only what
/// [`Self::run`] passes to
/// [`ForwardContext::observer`]; without that, firing rates and traces are empty.
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

    /// All tensors with their names, in a fixed order: parameters (those that require a gradient) and running
    /// statistics.
    fn named_tensors(&self) -> &[(String, Tensor)];

    /// Runs the network from rest and returns the logits of each step, `[T, B, K]` in `f32`. `context` holds
    /// the execution options and an observer, if any.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the shape differs from the one the network was built for;
    /// [`ModelError::Execution`] for an unsupported way of execution.
    fn run(&self, input: Input<'_>, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError>;

    /// The layers in the order in which they run, with the learned parameters of their neurons, for export to
    /// other programs. Default: none.
    ///
    /// # Errors
    /// Errors from libtorch.
    fn describe_layers(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(Vec::new())
    }

    /// The device of the parameters.
    fn device(&self) -> Device {
        self.named_tensors().first().map_or(Device::Cpu, |(_, tensor)| tensor.device())
    }

    /// Runs the network from rest and returns the logits of each step, `[T, B, K]` in `f32`.
    ///
    /// `train`: batch norm uses the statistics over all steps and samples together, which also update the
    /// running statistics, and dropout is on. Otherwise, batch norm uses the running statistics. Gradients
    /// are recorded unless disabled by the caller (`tch::no_grad`).
    ///
    /// # Errors
    /// As [`Self::run`]; [`ModelError::Execution`] for training step by step with batch norm or dropout.
    fn forward(&self, input: Input<'_>, train: bool, execution: &Execution) -> Result<Tensor, ModelError> {
        self.run(input, &mut ForwardContext::new(train, *execution))
    }

    /// Like [`Self::forward`], with an observer such as [`crate::FiringRates`].
    ///
    /// # Errors
    /// As [`Self::forward`], and errors returned by the observer.
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

    /// Checks that every batch norm gets more than one value per channel from a training batch of `samples`
    /// samples, since the variance of one value is undefined. `is_static`: for [`Input::Static`].
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
            // Values that are the same at each step are normalised once.
            let steps = if is_static && layer.is_static { 1 } else { time_steps };
            // `[C, H, W]`, `[F]`, or tokens `[N, D]`: the number of values per channel.
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

    /// Spikes and membrane potentials of sample `sample` of the input, in evaluation: for each layer, at most
    /// `neurons` of its neurons, evenly spaced.
    ///
    /// # Errors
    /// As [`Self::forward`]; [`ModelError::Input`] if there is no such sample.
    fn trace(
        &self,
        input: Input<'_>,
        sample: usize,
        neurons: usize,
        execution: &Execution,
    ) -> Result<Vec<LayerTrace>, ModelError> {
        record::trace(self, input, sample, neurons, execution)
    }

    /// The share of non-zero inputs of each convolution and linear layer, in evaluation, in the order of the
    /// forward pass. Multiplied by [`crate::LayerSummary::macs`], it gives the number of synaptic operations.
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

    /// The difference between the running statistics of each batch norm and those of this batch, as used in
    /// training. Changes nothing. Empty for a network without batch norm.
    ///
    /// # Errors
    /// As [`Self::forward`] in training.
    fn norm_gaps(&self, input: Input<'_>, execution: &Execution) -> Result<Vec<NormGap>, ModelError> {
        record::norm_gaps(self, input, execution)
    }

    /// The first layer with a non-finite output, or else the first non-finite parameter; `None` if all are
    /// finite. Computes the network once more without gradients; the running statistics are unchanged.
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

    /// Loads the network's tensors from a safetensors file, such as a peer's state dictionary. All tensors
    /// are checked before the first is changed.
    ///
    /// If `strict`, every tensor of the network must be in the file and vice versa (except for batch norm's
    /// `num_batches_tracked`). Otherwise, the tensors that the two have in common are loaded. Returns the
    /// differences, which are empty if strict.
    ///
    /// # Errors
    /// [`ModelError::Read`] for an invalid file, [`ModelError::Weights`] if tensors have different shapes or,
    /// if strict, are missing or surplus.
    fn load_safetensors(&self, path: &Path, strict: bool) -> Result<Mismatch, ModelError> {
        weights::load_safetensors(self.named_tensors(), path, strict)
    }
}

/// Checks the shape, kind and device of an input.
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
