//! The unit that networks are made of: a convolution or linear layer, batch norm, and neurons; any of them absent.

use tch::{Kind, Tensor};
use tks_autograd::convolution::{ConvOptions, spike_conv2d};
use tks_autograd::{BatchNorm, NeuronLayer};

use crate::error::ModelError;
use crate::pass::{Charge, Pass, merge_steps, split_steps};

/// Momentum and epsilon of batch norm, torch's defaults.
pub(crate) const MOMENTUM: f64 = 0.1;
pub(crate) const EPS: f64 = 1e-5;

/// A convolution.
#[derive(Debug)]
pub(crate) struct Conv {
    pub(crate) name: String,
    /// `[O, C, kh, kw]`
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
    pub(crate) stride: i64,
    pub(crate) padding: i64,
}

/// A linear layer.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) name: String,
    /// `[O, F]`
    pub(crate) weight: Tensor,
    /// `[O]`
    pub(crate) bias: Tensor,
}

/// What weighs the spikes.
#[derive(Debug)]
pub(crate) enum Synapse {
    Conv(Conv),
    Linear(Linear),
}

/// Batch norm; tensors of shape `[C]`.
#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) name: String,
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
    pub(crate) running_mean: Tensor,
    pub(crate) running_var: Tensor,
}

/// The error for a batch norm that gets a single value of each channel in training: a variance takes two.
pub(crate) fn one_value(name: &str, samples: i64) -> ModelError {
    let samples =
        if samples == 1 { "a batch of 1 sample".into() } else { format!("a batch of {samples} samples") };
    ModelError::Execution(format!(
        "the batch norm `{name}` gets 1 value a channel from {samples}, and needs 2 or more when training: use larger \
         batches, or a network that leaves more than one pixel there"
    ))
}

/// A layer of neurons with its place in the network.
#[derive(Debug)]
pub(crate) struct Neurons {
    pub(crate) id: usize,
    pub(crate) layer: NeuronLayer,
}

/// Synapse, batch norm, neurons, in this order.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) synapse: Option<Synapse>,
    pub(crate) norm: Option<Norm>,
    pub(crate) neurons: Option<Neurons>,
}

impl Synapse {
    pub(crate) fn name(&self) -> &str {
        match self {
            Synapse::Conv(conv) => &conv.name,
            Synapse::Linear(linear) => &linear.name,
        }
    }

    /// `[N, C, H, W]` to `[N, O, H', W']`, or `[N, F]` to `[N, O]`.
    pub(crate) fn apply(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        if let Some(watch) = &mut pass.watch {
            watch.synapse_input(self.name(), x)?;
        }
        let kind = if pass.execution.bf16 { Kind::BFloat16 } else { Kind::Float };
        match self {
            Synapse::Conv(conv) => {
                let options = ConvOptions {
                    stride: [conv.stride; 2],
                    padding: [conv.padding; 2],
                    backend: pass.execution.convolution,
                    half_precision: pass.execution.bf16,
                };
                let y = spike_conv2d(x, &conv.weight, options)?;
                Ok(match &conv.bias {
                    Some(bias) => y.f_add(&bias.f_to_kind(kind)?.f_reshape([1, -1, 1, 1])?)?,
                    None => y,
                })
            }
            Synapse::Linear(linear) => {
                let x = x.f_to_kind(kind)?;
                Ok(x.f_linear(&linear.weight.f_to_kind(kind)?, Some(&linear.bias.f_to_kind(kind)?))?)
            }
        }
    }

    fn share(&self) -> Synapse {
        match self {
            Synapse::Conv(conv) => Synapse::Conv(Conv {
                name: conv.name.clone(),
                weight: conv.weight.shallow_clone(),
                bias: conv.bias.as_ref().map(Tensor::shallow_clone),
                ..*conv
            }),
            Synapse::Linear(linear) => Synapse::Linear(Linear {
                name: linear.name.clone(),
                weight: linear.weight.shallow_clone(),
                bias: linear.bias.shallow_clone(),
            }),
        }
    }
}

impl Norm {
    /// Shows what is about to be normalised, `[T, B, C, ...]`, to whoever watches; in training there has to be a variance.
    fn look_at(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<(), ModelError> {
        let values = x.numel() as i64 / x.size().get(2).copied().unwrap_or(1).max(1);
        if pass.train && values < 2 {
            return Err(one_value(&self.name, x.size().get(1).copied().unwrap_or(1)));
        }
        match &mut pass.watch {
            Some(watch) => watch.norm_input(self, x),
            None => Ok(()),
        }
    }

    fn view(&self, pass: &Pass<'_>) -> BatchNorm<'_> {
        BatchNorm {
            weight: &self.weight,
            bias: &self.bias,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            training: pass.train,
            momentum: if pass.update_running { MOMENTUM } else { 0.0 },
            eps: EPS,
        }
    }

    /// Normalises `x`, `[T, B, C, ...]`; in training over steps and batch together. Where `copies` is above 1, `x`
    /// stands for that many steps of the same values: the running variance, which is unbiased, is that of all of them.
    fn apply(&self, x: &Tensor, copies: i64, pass: &Pass<'_>) -> Result<Tensor, ModelError> {
        let x = x.f_to_kind(Kind::Float)?;
        if !(pass.train && pass.update_running && copies > 1) {
            return Ok(self.view(pass).apply(&x)?);
        }
        // libtorch keeps the running statistics that it was given, and minds changes: hence copies of them.
        let before = self.running_var.f_mul_scalar(1.0 - MOMENTUM)?;
        let (mean, variance) = (self.running_mean.f_detach_copy()?, self.running_var.f_detach_copy()?);
        let y = BatchNorm { running_mean: &mean, running_var: &variance, ..self.view(pass) }.apply(&x)?;
        // With n values a channel the batch's part is squares / (n - 1); of all copies it is
        // copies * squares / (copies * n - 1).
        let (count, copies) = ((x.numel() as i64 / x.size()[2]) as f64, copies as f64);
        let batch = variance.f_sub(&before)?.f_mul_scalar(copies * (count - 1.0) / (copies * count - 1.0))?;
        tch::no_grad(|| -> Result<_, ModelError> {
            self.running_mean.shallow_clone().f_copy_(&mean)?;
            self.running_var.shallow_clone().f_copy_(&before.f_add(&batch)?)?;
            Ok(())
        })?;
        Ok(y)
    }

    fn share(&self) -> Norm {
        Norm {
            name: self.name.clone(),
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            running_mean: self.running_mean.shallow_clone(),
            running_var: self.running_var.shallow_clone(),
        }
    }
}

impl Neurons {
    /// Spikes of `x`, `[T, B, ...]`, which is normalised first where there is a norm.
    pub(crate) fn fire(
        &self,
        x: &Tensor,
        norm: Option<&Norm>,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor, ModelError> {
        let state = pass.states.as_mut().and_then(|states| states[self.id].take());
        let backend = pass.execution.neurons;
        let norm = norm.map(|norm| norm.view(pass));
        if let Some(watch) = &mut pass.watch {
            let charge = Charge { layer: &self.layer, norm: norm.as_ref(), input: x, state: state.as_ref() };
            watch.before_firing(self.id, charge)?;
        }
        let output = self.layer.forward_by(backend, norm.as_ref(), x, state.as_ref())?;
        if let Some(watch) = &mut pass.watch {
            watch.neurons(self.id, &output.spikes, &output.state.membrane)?;
        }
        if let Some(states) = pass.states.as_mut() {
            states[self.id] = Some(output.state);
        }
        Ok(output.spikes)
    }

    pub(crate) fn share(&self) -> Neurons {
        Neurons { id: self.id, layer: self.layer.share() }
    }
}

impl Unit {
    /// `x` of shape `[T, B, ...]`.
    pub(crate) fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        let current = self.weigh(x, pass)?;
        if let Some(norm) = &self.norm {
            norm.look_at(&current, pass)?;
        }
        match (&self.neurons, &self.norm) {
            (Some(neurons), norm) => neurons.fire(&current, norm.as_ref(), pass),
            (None, Some(norm)) => norm.apply(&current, 1, pass),
            (None, None) => Ok(current),
        }
    }

    /// What reaches the neurons at each step, from an input that is the same at each of `time_steps` steps: computed
    /// once, `[B, ...]` to `[B, ...]`.
    pub(crate) fn current_of_static(
        &self,
        x: &Tensor,
        time_steps: i64,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor, ModelError> {
        let current = self.weigh(&x.f_unsqueeze(0)?, pass)?;
        let current = match &self.norm {
            Some(norm) => {
                norm.look_at(&current, pass)?;
                norm.apply(&current, time_steps, pass)?
            }
            None => current,
        };
        Ok(current.f_squeeze_dim(0)?)
    }

    fn weigh(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        let Some(synapse) = &self.synapse else { return Ok(x.shallow_clone()) };
        let y = split_steps(&synapse.apply(&merge_steps(x)?, pass)?, x.size()[0])?;
        if let Some(watch) = &mut pass.watch {
            watch.synapse_output(synapse.name(), &y)?;
        }
        Ok(y)
    }

    /// A second handle to the same parameters.
    pub(crate) fn share(&self) -> Unit {
        Unit {
            synapse: self.synapse.as_ref().map(Synapse::share),
            norm: self.norm.as_ref().map(Norm::share),
            neurons: self.neurons.as_ref().map(Neurons::share),
        }
    }

    /// Appends the tensors that gradients flow to.
    pub(crate) fn learned<'a>(&'a self, tensors: &mut Vec<&'a Tensor>) {
        match &self.synapse {
            Some(Synapse::Conv(conv)) => {
                tensors.push(&conv.weight);
                tensors.extend(&conv.bias);
            }
            Some(Synapse::Linear(linear)) => tensors.extend([&linear.weight, &linear.bias]),
            None => {}
        }
        if let Some(norm) = &self.norm {
            tensors.extend([&norm.weight, &norm.bias]);
        }
        if let Some(neurons) = &self.neurons {
            neurons.learned(tensors);
        }
    }
}

impl Neurons {
    /// Appends the tensors that gradients flow to.
    pub(crate) fn learned<'a>(&'a self, tensors: &mut Vec<&'a Tensor>) {
        let learned = self.layer.learned();
        tensors.extend(learned.parameters);
        tensors.extend(learned.v_threshold);
    }
}
