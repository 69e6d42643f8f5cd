//! Builds layers by name and shape, and records a summary of each.

mod parts;
mod push;

use tch::{Kind, Tensor, nn};

use crate::config::{Connect, InputShape, NetworkConfig, check_size, config_error};
use crate::error::ModelError;
use crate::layers::{Layer, StaticPart};
use crate::signal::{Shape, Signal};
use crate::summary::{LayerKind, LayerSummary};

/// The initialisation of weights.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum WeightInit {
    /// torch's default: uniform with the bound `1 / sqrt(fan_in)`, including biases.
    Uniform,
    /// Convolutions normal with the variance `2 / fan_out` (He et al., "Delving Deep into Rectifiers", ICCV 2015), the rest
    /// as [`WeightInit::Uniform`].
    KaimingFanOut,
    /// All weights normal with this standard deviation, biases at 0, as is usual for transformers.
    Normal(f64),
}

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvPlan {
    /// Number of output channels.
    pub out: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Vertical and horizontal stride.
    pub stride: usize,
    /// Zero padding on each side.
    pub padding: usize,
    /// Distance in pixels between adjacent taps of the kernel.
    pub dilation: usize,
    /// Number of channel groups that are convolved separately; as many as channels: a depthwise convolution.
    pub groups: usize,
}

impl ConvPlan {
    /// A square kernel, with the padding that preserves height and width at a stride of 1 with an odd kernel.
    pub fn new(out: usize, kernel: usize, stride: usize) -> Self {
        ConvPlan { out, kernel, stride, padding: kernel.saturating_sub(1) / 2, dilation: 1, groups: 1 }
    }

    /// 3x3, which preserves height and width at a stride of 1.
    pub fn three(out: usize, stride: usize) -> Self {
        ConvPlan::new(out, 3, stride)
    }

    /// 1x1.
    pub fn one(out: usize, stride: usize) -> Self {
        ConvPlan::new(out, 1, stride)
    }

    /// Height and width of the area covered by the taps.
    pub fn reach(&self) -> usize {
        self.dilation * self.kernel.saturating_sub(1) + 1
    }

    /// The output's height or width for an input's; `None` if the kernel does not fit.
    pub fn output(&self, length: usize) -> Option<usize> {
        (length + 2 * self.padding).checked_sub(self.reach()).map(|rest| rest / self.stride.max(1) + 1)
    }
}

/// Layers that start from a signal separately from the others: one branch of a residual block. Created by
/// [`Builder::branch`].
#[derive(Debug)]
pub struct Branch {
    pub(crate) layers: Vec<Box<dyn Layer>>,
    pub(crate) output: Signal,
}

impl Branch {
    /// The output of its last layer.
    pub fn output(&self) -> Signal {
        self.output
    }

    /// Whether it has no layers and returns its input.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

/// Builds a network, starting from its input.
///
/// Its [`Signal`] is the output of the last layer. Methods that begin with `push_` add a whole layer;
/// [`Self::conv`], [`Self::linear`], [`Self::batch_norm`] and [`Self::neurons`] create the parts of one, in
/// the order in which the signal passes through them, for [`Self::push`]. Parameters have the names of the
/// state dictionary and are drawn from torch's generator in the order in which they are created.
#[derive(Debug)]
pub struct Builder<'a> {
    path: nn::Path<'a>,
    config: &'a NetworkConfig,
    init: WeightInit,
    pub(crate) signal: Signal,
    pub(crate) layers: Vec<Box<dyn Layer>>,
    pub(crate) neuron_names: Vec<String>,
    /// All tensors with their names below the path, in the order of creation.
    pub(crate) tensors: Vec<(String, Tensor)>,
    pub(crate) summary: Vec<LayerSummary>,
    /// Number of lines of the summary that belong to layers already pushed.
    pushed: usize,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        path: &nn::Path<'a>,
        config: &'a NetworkConfig,
        input: InputShape,
        init: WeightInit,
    ) -> Result<Self, ModelError> {
        let InputShape { channels, height, width } = input;
        for (name, size) in [("channels", channels), ("height", height), ("width", width)] {
            check_size(&format!("input.{name}"), size)?;
        }
        Ok(Builder {
            path: path.clone(),
            config,
            init,
            signal: Signal {
                shape: Shape::Image { channels, height, width },
                spikes: false,
                is_static: true,
            },
            layers: Vec::new(),
            neuron_names: Vec::new(),
            tensors: Vec::new(),
            summary: Vec::new(),
            pushed: 0,
        })
    }

    /// The description of the network: classes, neurons, dropout.
    pub fn config(&self) -> &'a NetworkConfig {
        self.config
    }

    /// The output of the last layer.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Sets the output of the layer being created, if its parts do not determine it.
    pub fn set_signal(&mut self, signal: Signal) {
        self.signal = signal;
    }

    /// How the network's SEW blocks combine their branches.
    pub fn connect(&self) -> Connect {
        self.config.connect
    }

    /// The threshold of the network's neurons.
    pub fn v_threshold(&self) -> f64 {
        f64::from(self.config.neuron.v_threshold)
    }

    /// Adds a learned tensor with its name in the state dictionary, such as `blocks.0.scale`, on the
    /// network's device.
    ///
    /// # Errors
    /// [`ModelError::NameTaken`]; errors from libtorch.
    pub fn parameter(&mut self, name: &str, start: Tensor) -> Result<Tensor, ModelError> {
        self.add(name, start, true)
    }

    /// Adds a tensor that is saved with the weights but receives no gradient, such as a running mean.
    ///
    /// # Errors
    /// As [`Self::parameter`].
    pub fn buffer(&mut self, name: &str, start: Tensor) -> Result<Tensor, ModelError> {
        self.add(name, start, false)
    }

    /// Adds a line to the network's summary, with the given input and the signal as output. A layer with
    /// multiplications must pass its input to [`crate::Observer::synapse_input`] under the same name, so that
    /// synaptic operations are counted.
    pub fn note(&mut self, name: &str, kind: LayerKind, input: Signal, parameters: usize, macs: u64) {
        self.summary.push(LayerSummary {
            name: name.to_owned(),
            kind,
            input: input.shape.sizes(),
            output: self.signal.shape.sizes(),
            parameters,
            macs,
            spiking_input: input.spikes,
            is_static: input.is_static,
        });
    }

    /// Adds a layer whose output is the signal.
    pub fn push(&mut self, layer: impl Layer + 'static) {
        self.push_boxed(Box::new(layer));
    }

    /// Like [`Self::push`], for a layer whose type is chosen at run time.
    pub fn push_boxed(&mut self, layer: Box<dyn Layer>) {
        match layer.static_part() {
            StaticPart::Whole => {}
            StaticPart::Prefix => self.signal.is_static = false,
            StaticPart::None => {
                self.signal.is_static = false;
                self.summary[self.pushed..].iter_mut().for_each(|part| part.is_static = false);
            }
        }
        self.layers.push(layer);
        self.pushed = self.summary.len();
    }

    /// Collects the layers that `build` pushes, starting from `from`, as a separate branch instead of adding
    /// them to the network; a branch without layers is the signal itself. The builder's signal is unchanged.
    /// A branch runs at every step, even for a static input.
    ///
    /// # Errors
    /// Errors from `build`.
    pub fn branch(
        &mut self,
        from: Signal,
        build: impl FnOnce(&mut Self) -> Result<(), ModelError>,
    ) -> Result<Branch, ModelError> {
        let from = Signal { is_static: false, ..from };
        let before = std::mem::replace(&mut self.signal, from);
        let outside = std::mem::take(&mut self.layers);
        let built = build(self);
        let layers = std::mem::replace(&mut self.layers, outside);
        let output = std::mem::replace(&mut self.signal, before);
        built.map(|()| Branch { layers, output })
    }

    /// Checks that the network ends in logits, one per class.
    pub(crate) fn check_logits(&self) -> Result<(), ModelError> {
        let classes = self.config.classes;
        if self.signal.shape == Shape::Features(classes) {
            return Ok(());
        }
        let problem = format!(
            "ends in {:?}, and not in a vector of {classes}, the classes: end it by `push_classifier`",
            self.signal.shape.sizes()
        );
        Err(config_error("architecture", problem))
    }

    /// Splits `a.b.c` into a path and a last name.
    fn place<'n>(&self, name: &'n str) -> (nn::Path<'a>, &'n str) {
        let (folders, last) = name.rsplit_once('.').unwrap_or(("", name));
        let path = folders
            .split('.')
            .filter(|part| !part.is_empty())
            .fold(self.path.clone(), |path, part| path / part);
        (path, last)
    }

    fn add(&mut self, name: &str, tensor: Tensor, learned: bool) -> Result<Tensor, ModelError> {
        let (path, last) = self.place(name);
        if path.get(last).is_some() {
            return Err(ModelError::NameTaken(name.to_owned()));
        }
        let tensor = path.add(last, tensor.f_to_device(self.path.device())?, learned);
        self.tensors.push((name.to_owned(), tensor.shallow_clone()));
        Ok(tensor)
    }

    fn options(&self) -> (Kind, tch::Device) {
        (Kind::Float, self.path.device())
    }
}
