//! Builds layers by name and shape, and notes what each of them is.

use tch::{Kind, Tensor, nn};
use tks_autograd::{LayerOptions, NeuronLayer};

use crate::config::{Connect, InputShape, NetworkConfig, config_error};
use crate::error::ModelError;
use crate::layer::{Block, Join, Layer};
use crate::summary::{LayerKind, LayerSummary};
use crate::unit::{Conv, Linear, Neurons, Norm, Synapse, Unit};

/// How the weights of convolutions start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvInit {
    /// torch's default: uniform with the bound `1 / sqrt(fan_in)`.
    Uniform,
    /// Normal with the variance `2 / fan_out`: He et al., "Delving Deep into Rectifiers", ICCV 2015.
    KaimingFanOut,
}

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvPlan {
    pub(crate) out: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl ConvPlan {
    /// 3x3, which keeps height and width at a stride of 1.
    pub(crate) fn three(out: usize, stride: usize) -> Self {
        ConvPlan { out, kernel: 3, stride, padding: 1 }
    }

    pub(crate) fn one(out: usize, stride: usize) -> Self {
        ConvPlan { out, kernel: 1, stride, padding: 0 }
    }
}

/// What flows between two layers: a sample's shape at one step, and whether it is made of spikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signal {
    /// `[C, H, W]` or `[F]`
    pub(crate) shape: Vec<usize>,
    pub(crate) spikes: bool,
}

/// Builds a network from its input on.
pub(crate) struct Builder<'a> {
    path: nn::Path<'a>,
    config: &'a NetworkConfig,
    init: ConvInit,
    /// What the last layer gives.
    pub(crate) signal: Signal,
    pub(crate) layers: Vec<Layer>,
    pub(crate) neuron_names: Vec<String>,
    /// Every tensor by its name below the path, in the order of building.
    pub(crate) tensors: Vec<(String, Tensor)>,
    pub(crate) summary: Vec<LayerSummary>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        path: &nn::Path<'a>,
        config: &'a NetworkConfig,
        input: InputShape,
        init: ConvInit,
    ) -> Result<Self, ModelError> {
        let shape = vec![input.channels, input.height, input.width];
        for (name, &size) in ["channels", "height", "width"].iter().zip(&shape) {
            if !(1..=1 << 16).contains(&size) {
                return Err(config_error(
                    format!("input.{name}"),
                    format!("{size} is out of range: 1 to 65536"),
                ));
            }
        }
        Ok(Builder {
            path: path.clone(),
            config,
            init,
            signal: Signal { shape, spikes: false },
            layers: Vec::new(),
            neuron_names: Vec::new(),
            tensors: Vec::new(),
            summary: Vec::new(),
        })
    }

    /// `a.b.c` as a path and a last name.
    fn place<'n>(&self, name: &'n str) -> (nn::Path<'a>, &'n str) {
        let (folders, last) = name.rsplit_once('.').unwrap_or(("", name));
        let path = folders
            .split('.')
            .filter(|part| !part.is_empty())
            .fold(self.path.clone(), |path, part| path / part);
        (path, last)
    }

    fn add(&mut self, name: String, tensor: Tensor, learned: bool) -> Result<Tensor, ModelError> {
        let (path, last) = self.place(&name);
        if path.get(last).is_some() {
            return Err(ModelError::NameTaken(name));
        }
        let tensor = path.add(last, tensor, learned);
        self.tensors.push((name, tensor.shallow_clone()));
        Ok(tensor)
    }

    fn options(&self) -> (Kind, tch::Device) {
        (Kind::Float, self.path.device())
    }

    fn uniform(&self, shape: &[usize], bound: f64) -> Result<Tensor, ModelError> {
        let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        Ok(Tensor::f_empty(shape.as_slice(), self.options())?.f_uniform_(-bound, bound)?)
    }

    fn note(&mut self, name: &str, kind: LayerKind, input: &Signal, parameters: usize, macs: u64) {
        let layer = LayerSummary {
            name: name.to_owned(),
            kind,
            input: input.shape.clone(),
            output: self.signal.shape.clone(),
            parameters,
            macs,
            spiking_input: input.spikes,
        };
        self.summary.push(layer);
    }

    /// A convolution of the signal. Its neighbours have to be built next, in the order of the signal.
    fn conv(&mut self, name: &str, plan: ConvPlan, bias: bool) -> Result<Synapse, ModelError> {
        let input = self.signal.clone();
        let &[channels, height, width] = input.shape.as_slice() else {
            let problem = "a convolution needs a picture, but the layer before gives a vector".to_owned();
            return Err(config_error(name, problem));
        };
        let length = |length: usize| match length + 2 * plan.padding {
            padded if padded >= plan.kernel => Ok((padded - plan.kernel) / plan.stride + 1),
            _ => {
                let problem = format!(
                    "a kernel of {0}x{0} does not fit what is left of the picture, {height}x{width}: a larger input \
                     or fewer pools are needed",
                    plan.kernel
                );
                Err(config_error(name, problem))
            }
        };
        let shape = [plan.out, channels, plan.kernel, plan.kernel];
        let output = vec![plan.out, length(height)?, length(width)?];
        let fan_in = (channels * plan.kernel * plan.kernel) as f64;
        let fan_out = (plan.out * plan.kernel * plan.kernel) as f64;
        let weight = match self.init {
            ConvInit::Uniform => self.uniform(&shape, fan_in.sqrt().recip())?,
            ConvInit::KaimingFanOut => {
                let shape = shape.map(|size| size as i64);
                Tensor::f_empty(shape.as_slice(), self.options())?.f_normal_(0.0, (2.0 / fan_out).sqrt())?
            }
        };
        let weight = self.add(format!("{name}.weight"), weight, true)?;
        let bias = if bias {
            let values = self.uniform(&[plan.out], fan_in.sqrt().recip())?;
            Some(self.add(format!("{name}.bias"), values, true)?)
        } else {
            None
        };
        let parameters = shape.iter().product::<usize>() + bias.as_ref().map_or(0, |_| plan.out);
        let macs = shape.iter().chain(&output[1..]).map(|&size| size as u64).product();
        self.signal = Signal { shape: output, spikes: false };
        self.note(name, LayerKind::Convolution, &input, parameters, macs);
        let (stride, padding) = (plan.stride as i64, plan.padding as i64);
        Ok(Synapse::Conv(Conv { name: name.to_owned(), weight, bias, stride, padding }))
    }

    /// A linear layer over the signal, which has to be a vector.
    fn linear(&mut self, name: &str, features: usize) -> Result<Synapse, ModelError> {
        let input = self.signal.clone();
        let inputs: usize = input.shape.iter().product();
        let bound = (inputs as f64).sqrt().recip();
        let weight = self.uniform(&[features, inputs], bound)?;
        let weight = self.add(format!("{name}.weight"), weight, true)?;
        let bias = self.uniform(&[features], bound)?;
        let bias = self.add(format!("{name}.bias"), bias, true)?;
        self.signal = Signal { shape: vec![features], spikes: false };
        self.note(name, LayerKind::Linear, &input, (inputs + 1) * features, (inputs * features) as u64);
        Ok(Synapse::Linear(Linear { name: name.to_owned(), weight, bias }))
    }

    /// Batch norm of the signal, whose weight starts at a value.
    pub(crate) fn norm(&mut self, name: &str, weight: f64) -> Result<Norm, ModelError> {
        let input = self.signal.clone();
        let channels = input.shape[0];
        let mut vector = |last: &str, value: f64, learned: bool| {
            let values = Tensor::f_full([channels as i64], value, self.options())?;
            self.add(format!("{name}.{last}"), values, learned)
        };
        let (weight, bias) = (vector("weight", weight, true)?, vector("bias", 0.0, true)?);
        let (running_mean, running_var) =
            (vector("running_mean", 0.0, false)?, vector("running_var", 1.0, false)?);
        self.signal.spikes = false;
        self.note(name, LayerKind::BatchNorm, &input, 2 * channels, 0);
        Ok(Norm { name: name.to_owned(), weight, bias, running_mean, running_var })
    }

    pub(crate) fn neurons(&mut self, name: &str) -> Result<Neurons, ModelError> {
        let input = self.signal.clone();
        let config = self.config;
        let options = LayerOptions { learn_threshold: config.learn_threshold, ..LayerOptions::default() };
        let learned: Vec<_> = config.neuron.model.learned().into_iter().map(|(name, _)| name).collect();
        let learned: Vec<_> =
            learned.into_iter().chain(config.learn_threshold.then_some("v_threshold")).collect();
        let (path, last) = self.place(name);
        let path = path / last;
        if learned.iter().any(|tensor| path.get(tensor).is_some()) {
            return Err(ModelError::NameTaken(name.to_owned()));
        }
        let layer = NeuronLayer::new(&path, config.neuron, options)?;
        for tensor in &learned {
            if let Some(value) = path.get(tensor) {
                self.tensors.push((format!("{name}.{tensor}"), value));
            }
        }
        self.signal.spikes = true;
        self.note(name, LayerKind::Neurons, &input, learned.len(), 0);
        self.neuron_names.push(name.to_owned());
        Ok(Neurons { id: self.neuron_names.len() - 1, layer })
    }

    /// Convolution, batch norm and neurons by the names given; a bias where there is no batch norm. A norm's number is
    /// the value from which its weight starts.
    pub(crate) fn conv_unit(
        &mut self,
        conv: &str,
        plan: ConvPlan,
        norm: Option<(&str, f64)>,
        neurons: Option<&str>,
    ) -> Result<Unit, ModelError> {
        let synapse = Some(self.conv(conv, plan, norm.is_none())?);
        let norm = norm.map(|(name, weight)| self.norm(name, weight)).transpose()?;
        let neurons = neurons.map(|name| self.neurons(name)).transpose()?;
        Ok(Unit { synapse, norm, neurons })
    }

    pub(crate) fn push_unit(&mut self, unit: Unit) {
        self.layers.push(Layer::Unit(unit));
    }

    /// A linear layer, with neurons where they have a name.
    pub(crate) fn push_linear(
        &mut self,
        name: &str,
        features: usize,
        neurons: Option<&str>,
    ) -> Result<(), ModelError> {
        let synapse = Some(self.linear(name, features)?);
        let neurons = neurons.map(|name| self.neurons(name)).transpose()?;
        self.push_unit(Unit { synapse, norm: None, neurons });
        Ok(())
    }

    /// Dropout as configured, where it is on, and the classifier.
    pub(crate) fn push_classifier(&mut self, name: &str) -> Result<(), ModelError> {
        if self.config.dropout > 0.0 {
            self.push_dropout(self.config.dropout);
        }
        self.push_linear(name, self.config.classes, None)
    }

    pub(crate) fn push_dropout(&mut self, rate: f64) {
        self.layers.push(Layer::Dropout { rate });
    }

    fn pooled(
        &mut self,
        name: &str,
        kind: LayerKind,
        [size, stride, padding]: [usize; 3],
    ) -> Result<(), ModelError> {
        let input = self.signal.clone();
        let &[channels, height, width] = input.shape.as_slice() else {
            return Err(config_error(name, "a pool needs a picture, but the layer before gives a vector"));
        };
        let length = |length: usize| (length + 2 * padding).checked_sub(size).map(|rest| rest / stride + 1);
        let (Some(height), Some(width)) = (length(height), length(width)) else {
            let problem =
                format!("a pool of {size}x{size} does not fit what is left of the picture, {height}x{width}");
            return Err(config_error(name, problem));
        };
        self.signal.shape = vec![channels, height, width];
        self.note(name, kind, &input, 0, 0);
        Ok(())
    }

    /// Mean over squares; `name` for messages and the summary.
    pub(crate) fn push_avg_pool(&mut self, name: &str, size: usize) -> Result<(), ModelError> {
        self.pooled(name, LayerKind::AvgPool, [size, size, 0])?;
        self.layers.push(Layer::AvgPool { size: size as i64 });
        Ok(())
    }

    /// Maximum over squares, by size, stride and padding.
    pub(crate) fn push_max_pool(&mut self, name: &str, sizes: [usize; 3]) -> Result<(), ModelError> {
        self.pooled(name, LayerKind::MaxPool, sizes)?;
        let [size, stride, padding] = sizes.map(|size| size as i64);
        self.layers.push(Layer::MaxPool { size, stride, padding });
        Ok(())
    }

    pub(crate) fn push_global_avg_pool(&mut self, name: &str) -> Result<(), ModelError> {
        let input = self.signal.clone();
        if input.shape.len() != 3 {
            return Err(config_error(name, "a pool needs a picture, but the layer before gives a vector"));
        }
        self.signal.shape.truncate(1);
        self.note(name, LayerKind::AvgPool, &input, 0, 0);
        self.layers.push(Layer::GlobalAvgPool);
        Ok(())
    }

    /// A vector of all features; nothing where the signal is one.
    pub(crate) fn push_flatten(&mut self) {
        if self.signal.shape.len() > 1 {
            self.signal.shape = vec![self.signal.shape.iter().product()];
            self.layers.push(Layer::Flatten);
        }
    }

    /// Closes a block whose branches were built from `input`: the signal now is their join.
    pub(crate) fn push_block(&mut self, main: Vec<Unit>, shortcut: Option<Unit>, join: Join) {
        self.signal.spikes = true;
        self.layers.push(Layer::Block(Block { main, shortcut, join }));
    }

    pub(crate) fn connect(&self) -> Connect {
        self.config.connect
    }

    pub(crate) fn v_threshold(&self) -> f64 {
        f64::from(self.config.neuron.v_threshold)
    }
}
