//! The parts of layers: synapses, batch norms, neurons.

use tch::{Tensor, nn};
use tks_autograd::{LayerOptions, NeuronLayer};
use tks_neuron::Neuron;

use super::{Builder, ConvPlan, WeightInit};
use crate::config::config_error;
use crate::error::ModelError;
use crate::layers::{BatchNormLayer, Conv, Linear, Neurons, Synapse};
use crate::signal::{Shape, Signal};
use crate::summary::LayerKind;

impl Builder<'_> {
    fn uniform(&self, shape: &[usize], bound: f64) -> Result<Tensor, ModelError> {
        let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        Ok(Tensor::f_empty(shape.as_slice(), self.options())?.f_uniform_(-bound, bound)?)
    }

    fn normal(&self, shape: &[usize], deviation: f64) -> Result<Tensor, ModelError> {
        let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        Ok(Tensor::f_empty(shape.as_slice(), self.options())?.f_normal_(0.0, deviation)?)
    }

    /// Weight and, on request, bias; `fan_in` is the number of inputs per output.
    fn weight_and_bias(
        &mut self,
        name: &str,
        shape: &[usize],
        fan_in: usize,
        is_conv: bool,
        bias: bool,
    ) -> Result<(Tensor, Option<Tensor>), ModelError> {
        let bound = (fan_in as f64).sqrt().recip();
        let weight = match self.init {
            WeightInit::KaimingFanOut if is_conv => {
                let fan_out: usize = shape[0] * shape[2..].iter().product::<usize>();
                self.normal(shape, (2.0 / fan_out as f64).sqrt())?
            }
            WeightInit::Normal(deviation) => self.normal(shape, deviation)?,
            WeightInit::Uniform | WeightInit::KaimingFanOut => self.uniform(shape, bound)?,
        };
        let weight = self.add(&format!("{name}.weight"), weight, true)?;
        if !bias {
            return Ok((weight, None));
        }
        let start = match self.init {
            WeightInit::Normal(_) => Tensor::f_zeros([shape[0] as i64], self.options())?,
            WeightInit::Uniform | WeightInit::KaimingFanOut => self.uniform(&[shape[0]], bound)?,
        };
        Ok((weight, Some(self.add(&format!("{name}.bias"), start, true)?)))
    }

    /// A convolution of the signal, an image `[C, H, W]`, to `[O, H', W']`: `weight`, `[O, C / groups, kh,
    /// kw]`, and on request `bias`, `[O]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal is not an image or is smaller than the kernel, or if its channels
    /// are not divisible by the groups; [`ModelError::NameTaken`].
    pub fn conv(&mut self, name: &str, plan: ConvPlan, bias: bool) -> Result<Synapse, ModelError> {
        let input = self.signal;
        let [channels, height, width] = input.shape.image(name, "a convolution")?;
        if plan.groups == 0 || ![channels, plan.out].iter().all(|size| size.is_multiple_of(plan.groups)) {
            let problem = format!(
                "{channels} channels to {} do not divide into {} groups: the groups have to divide both",
                plan.out, plan.groups
            );
            return Err(config_error(name, problem));
        }
        let (Some(out_height), Some(out_width)) = (plan.output(height), plan.output(width)) else {
            let problem = format!(
                "a kernel of {0}x{0} does not fit what is left of the image, {height}x{width}: a larger input or fewer \
                 pools are needed",
                plan.reach()
            );
            return Err(config_error(name, problem));
        };
        let shape = [plan.out, channels / plan.groups, plan.kernel, plan.kernel];
        let (weight, bias) = self.weight_and_bias(name, &shape, shape[1..].iter().product(), true, bias)?;
        let parameters = shape.iter().product::<usize>() + bias.as_ref().map_or(0, |_| plan.out);
        let macs = shape.iter().chain(&[out_height, out_width]).map(|&size| size as u64).product();
        let output = Shape::Image { channels: plan.out, height: out_height, width: out_width };
        self.signal = Signal { shape: output, spikes: false, ..input };
        self.note(name, LayerKind::Convolution, input, parameters, macs);
        Ok(Synapse::of_conv(name, input.shape, output, Conv { weight, bias, plan }))
    }

    /// A linear layer on the signal, a vector `[F]`, to `[O]`: `weight`, `[O, F]`, and on request `bias`,
    /// `[O]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal is not a vector; [`ModelError::NameTaken`].
    pub fn linear(&mut self, name: &str, features: usize, bias: bool) -> Result<Synapse, ModelError> {
        let Shape::Features(inputs) = self.signal.shape else {
            let problem = format!(
                "a linear layer needs a vector, but the layer before gives {:?}: flatten it first",
                self.signal.shape.sizes()
            );
            return Err(config_error(name, problem));
        };
        self.any_linear(name, &[features, inputs], Shape::Features(features), 1, bias)
    }

    /// The same linear layer for each token of the signal, `[N, D]` to `[N, O]`: `weight`, `[O, D, 1]`, as
    /// stored for a convolution over a row of tokens, and on request `bias`, `[O]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal does not consist of tokens; [`ModelError::NameTaken`].
    pub fn token_linear(&mut self, name: &str, features: usize, bias: bool) -> Result<Synapse, ModelError> {
        let [tokens, inputs] = self.signal.shape.tokens(name, "a linear layer of tokens")?;
        self.any_linear(name, &[features, inputs, 1], Shape::Tokens { tokens, features }, tokens, bias)
    }

    fn any_linear(
        &mut self,
        name: &str,
        shape: &[usize],
        output: Shape,
        times: usize,
        bias: bool,
    ) -> Result<Synapse, ModelError> {
        let input = self.signal;
        let (weight, bias) = self.weight_and_bias(name, shape, shape[1], false, bias)?;
        let weights = shape.iter().product::<usize>();
        let parameters = weights + bias.as_ref().map_or(0, |_| shape[0]);
        self.signal = Signal { shape: output, spikes: false, ..input };
        self.note(name, LayerKind::Linear, input, parameters, (weights * times) as u64);
        Ok(Synapse::of_linear(name, input.shape, output, Linear { weight, bias }))
    }

    /// Batch norm of the signal, with the given initial `weight`: over `C` of an image `[C, H, W]`, `F` of a
    /// vector, `D` of tokens `[N, D]`.
    ///
    /// # Errors
    /// [`ModelError::NameTaken`].
    pub fn batch_norm(&mut self, name: &str, weight: f64) -> Result<BatchNormLayer, ModelError> {
        let input = self.signal;
        let channels = input.shape.channels();
        let mut vector = |last: &str, value: f64, learned: bool| {
            let values = Tensor::f_full([channels as i64], value, self.options())?;
            self.add(&format!("{name}.{last}"), values, learned)
        };
        let (weight, bias) = (vector("weight", weight, true)?, vector("bias", 0.0, true)?);
        let (running_mean, running_var) =
            (vector("running_mean", 0.0, false)?, vector("running_var", 1.0, false)?);
        self.signal.spikes = false;
        self.note(name, LayerKind::BatchNorm, input, 2 * channels, 0);
        let of_tokens = matches!(input.shape, Shape::Tokens { .. });
        Ok(BatchNormLayer { name: name.to_owned(), weight, bias, running_mean, running_var, of_tokens })
    }

    /// The network's neurons, one for each value of the signal.
    ///
    /// # Errors
    /// [`ModelError::NameTaken`].
    pub fn neurons(&mut self, name: &str) -> Result<Neurons, ModelError> {
        self.neurons_of(name, self.config.neuron)
    }

    /// Neurons with a configuration other than the network's.
    ///
    /// # Errors
    /// [`ModelError::Neuron`] for numbers out of range; [`ModelError::NameTaken`].
    pub fn neurons_of(&mut self, name: &str, neuron: Neuron) -> Result<Neurons, ModelError> {
        neuron.check()?;
        let input = self.signal;
        let learn_threshold = self.config.learn_threshold;
        let options = LayerOptions { learn_threshold, ..LayerOptions::default() };
        let own = neuron.model.learned().into_iter().map(|(name, _)| name);
        let learned: Vec<_> = own.chain(learn_threshold.then_some("v_threshold")).collect();
        let (path, last) = self.place(name);
        let path: nn::Path<'_> = path / last;
        let is_taken = self.neuron_names.iter().any(|known| known == name);
        if is_taken || learned.iter().any(|tensor| path.get(tensor).is_some()) {
            return Err(ModelError::NameTaken(name.to_owned()));
        }
        let layer = NeuronLayer::new(&path, neuron, options)?;
        for tensor in &learned {
            if let Some(value) = path.get(tensor) {
                self.tensors.push((format!("{name}.{tensor}"), value));
            }
        }
        self.signal = Signal { spikes: true, is_static: false, ..input };
        // They run at every step, whatever the input.
        self.note(name, LayerKind::Neurons, Signal { is_static: false, ..input }, learned.len(), 0);
        self.neuron_names.push(name.to_owned());
        let index = self.neuron_names.len() - 1;
        Ok(Neurons { index, name: name.to_owned(), shape: input.shape, layer })
    }
}
