//! Recordings of neuron activity: firing rates, traces of a sample, and the location of non-finite numbers.

use tch::{Kind, Tensor};

use crate::context::ForwardContext;
use crate::error::ModelError;
use crate::execution::{Execution, Mode};
use crate::layers::{BatchNormLayer, EPS, Neurons};
use crate::model::SpikingModel;
use crate::network::Input;
use crate::observer::{Charge, Observer};

/// The firing rates of a layer's neurons.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRates {
    /// The layer's name.
    pub name: String,
    /// The share of its neurons that fired at each step.
    pub rates: Vec<f64>,
    /// Whether every membrane potential was finite. Neurons with a NaN membrane potential do not fire, so the
    /// network's output may look normal.
    pub finite: bool,
}

impl LayerRates {
    /// The mean over steps; 0 if there are none.
    pub fn mean(&self) -> f64 {
        self.rates.iter().sum::<f64>() / (self.rates.len() as f64).max(1.0)
    }
}

/// The activity of some neurons of a layer for one sample.
#[derive(Debug)]
pub struct LayerTrace {
    /// The layer's name.
    pub name: String,
    /// The indices of the neurons in the flattened layer (`C * H * W`, in this order).
    pub neurons: Vec<usize>,
    /// 0 or 1, `[T, N]` in `f32` on the CPU.
    pub spikes: Tensor,
    /// The membrane potential after each step's reset, `[T, N]` in `f32` on the CPU.
    pub membranes: Tensor,
    /// The membrane potential of each step before its reset, which is compared with the threshold, `[T, N]`
    /// in `f32` on the CPU.
    pub before_reset: Tensor,
    /// The threshold, as learned if it is learned; an adaptive one at rest.
    pub v_threshold: f64,
}

/// The activity of a layer's synapses for one input.
#[derive(Debug, Clone, PartialEq)]
pub struct SynapticActivity {
    /// The name of the convolution or linear layer.
    pub name: String,
    /// The share of its inputs that are not zero.
    pub input_density: f64,
    /// Spikes per input: the mean magnitude, in units of the smallest non-zero magnitude. A sum of two spikes
    /// counts as two, and a mean over a window as the number of spikes in it. Meaningless for an input that
    /// does not consist of spikes.
    pub spikes_per_input: f64,
}

/// The location of the first non-finite number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonFinite {
    /// The layer that produced it, or the parameter.
    pub place: String,
    /// The step, counted from 0; `None` for a parameter.
    pub step: Option<usize>,
}

/// The difference between a batch norm's running statistics, used in evaluation, and those of a batch, used
/// in training. Means over channels.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGap {
    /// The batch norm's name.
    pub name: String,
    /// Geometric mean of the running variance divided by the batch's; 1 if they are equal.
    pub variance_ratio: f64,
    /// Distance between the means in standard deviations of the batch; 0 if they are equal.
    pub mean_distance: f64,
}

/// Accumulates firing rates over calls: an observer for [`SpikingModel::forward_observed`].
///
/// ```
/// use tch::{Device, Kind, Tensor, nn};
/// use tks_models::{
///     Architecture, Execution, FiringRates, Input, InputShape, Network, NetworkConfig, SpikingModel,
/// };
///
/// let config = NetworkConfig { architecture: Architecture::Small, width: 8, ..NetworkConfig::default() };
/// let store = nn::VarStore::new(Device::Cpu);
/// let network = Network::new(&store.root(), &config, InputShape::new(1, 28, 28))?;
/// let mut rates = FiringRates::default();
/// for _ in 0..2 {
///     let images = Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu));
///     network.forward_observed(Input::Static(&images, 6), false, &Execution::default(), &mut rates)?;
/// }
/// let layers = rates.layers();
/// assert_eq!((layers.len(), layers[0].rates.len()), (3, 6));
/// # Ok::<(), tks_models::ModelError>(())
/// ```
#[derive(Debug, Default)]
pub struct FiringRates {
    layers: Vec<Option<LayerSums>>,
}

#[derive(Debug)]
struct LayerSums {
    name: String,
    /// For each step: sum of rates, number of calls.
    steps: Vec<(f64, f64)>,
    /// The step at which the next chunk of a call begins.
    at: usize,
    finite: bool,
}

impl FiringRates {
    /// The firing rate of each layer and step, averaged over neurons, samples and calls; layers in the order
    /// in which they were built. Empty if nothing was observed.
    pub fn layers(&self) -> Vec<LayerRates> {
        let layer = |sums: &LayerSums| LayerRates {
            name: sums.name.clone(),
            rates: sums.steps.iter().map(|(sum, calls)| sum / calls).collect(),
            finite: sums.finite,
        };
        self.layers.iter().flatten().map(layer).collect()
    }
}

/// The entry for a layer's index, created if it does not exist.
fn entry<T>(entries: &mut Vec<Option<T>>, index: usize, new: impl FnOnce() -> T) -> &mut T {
    entries.resize_with(entries.len().max(index + 1), || None);
    entries[index].get_or_insert_with(new)
}

impl Observer for FiringRates {
    fn begin(&mut self) {
        self.layers.iter_mut().flatten().for_each(|layer| layer.at = 0);
    }

    fn neurons(&mut self, neurons: &Neurons, spikes: &Tensor, membrane: &Tensor) -> Result<(), ModelError> {
        // A NaN membrane potential remains NaN up to the last step, which is the one passed here.
        let finite = all_finite(&membrane.f_detach()?)?;
        let rates = spikes.f_detach()?.f_flatten(1, -1)?.f_mean_dim(1i64, false, Kind::Float)?;
        let rates = Vec::<f64>::try_from(rates.f_to_kind(Kind::Double)?)?;
        let name = || neurons.name().to_owned();
        let layer = entry(&mut self.layers, neurons.index(), || LayerSums {
            name: name(),
            steps: Vec::new(),
            at: 0,
            finite: true,
        });
        layer.finite &= finite;
        let end = layer.at + rates.len();
        layer.steps.resize(layer.steps.len().max(end), (0.0, 0.0));
        for ((sum, calls), rate) in layer.steps[layer.at..].iter_mut().zip(&rates) {
            *sum += rate;
            *calls += 1.0;
        }
        layer.at = end;
        Ok(())
    }
}

/// [`SpikingModel::trace`].
pub(crate) fn trace<M: SpikingModel + ?Sized>(
    model: &M,
    input: Input<'_>,
    sample: usize,
    neurons: usize,
    execution: &Execution,
) -> Result<Vec<LayerTrace>, ModelError> {
    let (batch, axis) = match &input {
        Input::Sequence(x) => (x, 1),
        Input::Static(x, _) => (x, 0),
    };
    let size = batch.size();
    if size.len() <= axis || sample as i64 >= size[axis] {
        let expected = format!("a batch with a sample {sample}, counted from 0");
        return Err(ModelError::Input { actual: size, expected });
    }
    let one = batch.f_narrow(axis as i64, sample as i64, 1)?;
    let input = match input {
        Input::Sequence(_) => Input::Sequence(&one),
        Input::Static(_, time_steps) => Input::Static(&one, time_steps),
    };
    let mut tracer = Tracer { neurons, layers: Vec::new() };
    let execution = Execution { mode: Mode::StepByStep, ..*execution };
    let mut context = ForwardContext::new(false, execution).observed(&mut tracer);
    let _logits = tch::no_grad(|| model.run(input, &mut context))?;
    let layers = tracer.layers.into_iter().flatten();
    layers
        .map(|trace| {
            Ok(LayerTrace {
                name: trace.name,
                neurons: trace.places.iter().map(|&place| place as usize).collect(),
                spikes: Tensor::f_stack(&trace.spikes, 0)?,
                membranes: Tensor::f_stack(&trace.membranes, 0)?,
                before_reset: Tensor::f_stack(&trace.before_reset, 0)?,
                v_threshold: trace.v_threshold,
            })
        })
        .collect()
}

/// [`SpikingModel::synaptic_activity`].
pub(crate) fn synaptic_activity<M: SpikingModel + ?Sized>(
    model: &M,
    input: Input<'_>,
    execution: &Execution,
) -> Result<Vec<SynapticActivity>, ModelError> {
    let mut activity = ActivityRecorder::default();
    let execution = Execution { mode: Mode::LayerByLayer, ..*execution };
    let mut context = ForwardContext::new(false, execution).observed(&mut activity);
    let _logits = tch::no_grad(|| model.run(input, &mut context))?;
    Ok(activity.0)
}

/// [`SpikingModel::norm_gaps`].
pub(crate) fn norm_gaps<M: SpikingModel + ?Sized>(
    model: &M,
    input: Input<'_>,
    execution: &Execution,
) -> Result<Vec<NormGap>, ModelError> {
    let mut gaps = NormGaps::default();
    let execution = Execution { mode: Mode::LayerByLayer, ..*execution };
    let mut context = ForwardContext::new(true, execution).without_updates().observed(&mut gaps);
    let _logits = tch::no_grad(|| model.run(input, &mut context))?;
    Ok(gaps.0)
}

/// [`SpikingModel::locate_non_finite`].
pub(crate) fn locate_non_finite<M: SpikingModel + ?Sized>(
    model: &M,
    input: Input<'_>,
    train: bool,
    execution: &Execution,
) -> Result<Option<NonFinite>, ModelError> {
    let mut search = Search::default();
    let execution = Execution { mode: Mode::LayerByLayer, ..*execution };
    let mut context = ForwardContext::new(train, execution).without_updates().observed(&mut search);
    let _logits = tch::no_grad(|| model.run(input, &mut context))?;
    if search.0.is_some() {
        return Ok(search.0);
    }
    for (name, tensor) in model.named_tensors() {
        if !all_finite(tensor)? {
            return Ok(Some(NonFinite { place: name.clone(), step: None }));
        }
    }
    Ok(None)
}

#[derive(Default)]
struct Trace {
    name: String,
    places: Vec<i64>,
    spikes: Vec<Tensor>,
    membranes: Vec<Tensor>,
    before_reset: Vec<Tensor>,
    v_threshold: f64,
}

impl Trace {
    /// The values of the observed neurons, at most `neurons`, on the CPU: `[N]`.
    fn take(&mut self, tensor: &Tensor, neurons: usize) -> Result<Tensor, ModelError> {
        let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_reshape([-1])?;
        if self.places.is_empty() {
            let all = flat.numel();
            let count = neurons.clamp(1, all);
            self.places = (0..count).map(|i| (i * all / count) as i64).collect();
        }
        let places = Tensor::f_from_slice(&self.places)?.f_to_device(flat.device())?;
        Ok(flat.f_index_select(0, &places)?.f_to_device(tch::Device::Cpu)?)
    }
}

/// Records some neurons of each layer during a step-by-step run of one sample.
struct Tracer {
    neurons: usize,
    layers: Vec<Option<Trace>>,
}

impl Tracer {
    fn layer(&mut self, neurons: &Neurons) -> &mut Trace {
        let new = || Trace { name: neurons.name().to_owned(), ..Trace::default() };
        entry(&mut self.layers, neurons.index(), new)
    }
}

impl Observer for Tracer {
    fn before_firing(&mut self, neurons: &Neurons, charge: Charge<'_>) -> Result<(), ModelError> {
        let count = self.neurons;
        let trace = self.layer(neurons);
        trace.v_threshold = charge.v_threshold()?;
        let membrane = trace.take(&charge.membrane()?, count)?;
        trace.before_reset.push(membrane);
        Ok(())
    }

    fn neurons(&mut self, neurons: &Neurons, spikes: &Tensor, membrane: &Tensor) -> Result<(), ModelError> {
        let count = self.neurons;
        let trace = self.layer(neurons);
        let (spikes, membrane) = (trace.take(spikes, count)?, trace.take(membrane, count)?);
        trace.spikes.push(spikes);
        trace.membranes.push(membrane);
        Ok(())
    }
}

#[derive(Default)]
struct ActivityRecorder(Vec<SynapticActivity>);

impl Observer for ActivityRecorder {
    fn synapse_input(&mut self, name: &str, input: &Tensor) -> Result<(), ModelError> {
        // In parts, since the copies this makes are large.
        const PARTS: i64 = 16;
        let (mut count, mut sum, mut smallest) = (0.0, 0.0, f64::INFINITY);
        for part in input.f_detach()?.f_chunk(PARTS, 0)? {
            let magnitudes = part.f_to_kind(Kind::Float)?.f_abs()?;
            let present = magnitudes.f_masked_select(&magnitudes.f_gt(0.0)?)?;
            if present.numel() > 0 {
                count += present.numel() as f64;
                sum += present.f_sum(Kind::Double)?.f_double_value(&[])?;
                smallest = smallest.min(present.f_min()?.f_double_value(&[])?);
            }
        }
        let all = (input.numel() as f64).max(1.0);
        let (input_density, spikes_per_input) = (count / all, sum / smallest / all);
        self.0.push(SynapticActivity { name: name.to_owned(), input_density, spikes_per_input });
        Ok(())
    }
}

#[derive(Default)]
struct NormGaps(Vec<NormGap>);

impl Observer for NormGaps {
    fn norm_input(&mut self, norm: &BatchNormLayer, input: &Tensor) -> Result<(), ModelError> {
        let channels = input.f_to_kind(Kind::Float)?.f_flatten(0, 1)?.f_transpose(0, 1)?.f_flatten(1, -1)?;
        let mean = channels.f_mean_dim(1i64, false, Kind::Float)?;
        let variance = channels.f_var_dim(1i64, true, false)?.f_add_scalar(EPS)?;
        let ratio = norm.running_var().f_add_scalar(EPS)?.f_div(&variance)?.f_log()?;
        let distance = norm.running_mean().f_sub(&mean)?.f_abs()?.f_div(&variance.f_sqrt()?)?;
        self.0.push(NormGap {
            name: norm.name().to_owned(),
            variance_ratio: ratio.f_mean(Kind::Float)?.f_double_value(&[])?.exp(),
            mean_distance: distance.f_mean(Kind::Float)?.f_double_value(&[])?,
        });
        Ok(())
    }
}

fn all_finite(tensor: &Tensor) -> Result<bool, ModelError> {
    Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

#[derive(Default)]
struct Search(Option<NonFinite>);

impl Search {
    fn look(&mut self, name: &str, steps: &Tensor) -> Result<(), ModelError> {
        if self.0.is_some() || all_finite(steps)? {
            return Ok(());
        }
        for (step, values) in steps.f_unbind(0)?.iter().enumerate() {
            if !all_finite(values)? {
                self.0 = Some(NonFinite { place: name.to_owned(), step: Some(step) });
                break;
            }
        }
        Ok(())
    }
}

impl Observer for Search {
    fn synapse_output(&mut self, name: &str, output: &Tensor) -> Result<(), ModelError> {
        self.look(name, output)
    }
}
