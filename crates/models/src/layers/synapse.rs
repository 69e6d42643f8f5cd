//! Synapses: convolutions and linear layers.

use tch::{Kind, Tensor};
use tks_autograd::convolution::{ConvBackend, ConvOptions, spike_conv2d};

use crate::builder::ConvPlan;
use crate::context::{ForwardContext, merge_steps, split_steps};
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::signal::Shape;

/// The weights applied to spikes: a convolution or a linear layer. Created by [`crate::Builder::conv`] and
/// [`crate::Builder::linear`].
#[derive(Debug)]
pub struct Synapse {
    name: String,
    input: Shape,
    output: Shape,
    operation: Operation,
}

#[derive(Debug)]
enum Operation {
    Conv(Conv),
    Linear(Linear),
}

/// A convolution.
#[derive(Debug)]
pub(crate) struct Conv {
    /// `[O, C / groups, kh, kw]`
    pub(crate) weight: Tensor,
    /// `[O]`
    pub(crate) bias: Option<Tensor>,
    pub(crate) plan: ConvPlan,
}

/// A linear layer.
#[derive(Debug)]
pub(crate) struct Linear {
    /// `[O, F]`, or `[O, F, 1]` as a convolution over tokens stores it.
    pub(crate) weight: Tensor,
    /// `[O]`
    pub(crate) bias: Option<Tensor>,
}

impl Conv {
    /// `[N, C, H, W]` to `[N, O, H', W']`, without the bias.
    fn weigh(&self, name: &str, x: &Tensor, context: &ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let execution = context.execution();
        let ConvPlan { stride, padding, dilation, groups, .. } = self.plan;
        let (stride, padding) = ([stride as i64; 2], [padding as i64; 2]);
        if groups == 1 && dilation == 1 {
            let options = ConvOptions {
                stride,
                padding,
                backend: execution.convolution,
                half_precision: execution.bf16,
            };
            return Ok(spike_conv2d(x, &self.weight, options)?);
        }
        if execution.convolution == ConvBackend::Sparse {
            return Err(ModelError::Execution(format!(
                "the convolution `{name}` has groups or dilation, which the sparse convolution does not compute: \
                 choose `convolution = \"auto\"`, which leaves it to libtorch"
            )));
        }
        let kind = if execution.bf16 { Kind::BFloat16 } else { x.kind() };
        let (x, weight) = (x.f_to_kind(kind)?, self.weight.f_to_kind(kind)?);
        Ok(x.f_conv2d(&weight, None::<&Tensor>, stride, padding, [dilation as i64; 2], groups as i64)?)
    }
}

impl Linear {
    /// `[O, F]`
    fn matrix(&self) -> Result<Tensor, ModelError> {
        Ok(self.weight.f_flatten(1, -1)?)
    }
}

impl Synapse {
    pub(crate) fn of_conv(name: &str, input: Shape, output: Shape, conv: Conv) -> Self {
        Synapse { name: name.to_owned(), input, output, operation: Operation::Conv(conv) }
    }

    pub(crate) fn of_linear(name: &str, input: Shape, output: Shape, linear: Linear) -> Self {
        Synapse { name: name.to_owned(), input, output, operation: Operation::Linear(linear) }
    }

    /// Its name in the state dictionary.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `[T, B, C, H, W]` to `[T, B, O, H', W']`, `[T, B, F]` to `[T, B, O]`, or `[T, B, N, D]` to `[T, B, N,
    /// O]`; in `bf16` if the network is executed in it.
    ///
    /// # Errors
    /// [`ModelError::Execution`] for groups or dilation if the sparse convolution is required; errors from
    /// libtorch.
    pub fn apply(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let time_steps = x.size().first().copied().unwrap_or(0);
        let x = merge_steps(x)?;
        if let Some(observer) = context.observer() {
            observer.synapse_input(&self.name, &x)?;
        }
        let kind = if context.execution().bf16 { Kind::BFloat16 } else { Kind::Float };
        let y = match &self.operation {
            Operation::Conv(conv) => {
                let y = conv.weigh(&self.name, &x, context)?;
                match &conv.bias {
                    Some(bias) => y.f_add(&bias.f_to_kind(kind)?.f_reshape([1, -1, 1, 1])?)?,
                    None => y,
                }
            }
            Operation::Linear(linear) => {
                let bias = linear.bias.as_ref().map(|bias| bias.f_to_kind(kind)).transpose()?;
                x.f_to_kind(kind)?.f_linear(&linear.matrix()?.f_to_kind(kind)?, bias.as_ref())?
            }
        };
        let y = split_steps(&y, time_steps)?;
        if let Some(observer) = context.observer() {
            observer.synapse_output(&self.name, &y)?;
        }
        Ok(y)
    }

    /// A second handle to the same parameters.
    #[must_use]
    pub fn share(&self) -> Synapse {
        let operation = match &self.operation {
            Operation::Conv(conv) => Operation::Conv(Conv {
                weight: conv.weight.shallow_clone(),
                bias: conv.bias.as_ref().map(Tensor::shallow_clone),
                plan: conv.plan,
            }),
            Operation::Linear(linear) => Operation::Linear(Linear {
                weight: linear.weight.shallow_clone(),
                bias: linear.bias.as_ref().map(Tensor::shallow_clone),
            }),
        };
        Synapse { name: self.name.clone(), input: self.input, output: self.output, operation }
    }

    /// Appends the tensors that gradients flow to.
    pub fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        let (weight, bias) = match &self.operation {
            Operation::Conv(Conv { weight, bias, .. }) | Operation::Linear(Linear { weight, bias }) => {
                (weight, bias)
            }
        };
        parameters.push(weight);
        parameters.extend(bias);
    }

    /// Name, shapes and settings.
    pub fn describe(&self) -> LayerDescription {
        let name = self.name.clone();
        let (input, output) = (self.input.sizes(), self.output.sizes());
        match &self.operation {
            Operation::Conv(conv) => LayerDescription::Convolution {
                name,
                weight: conv.weight.size(),
                bias: conv.bias.is_some(),
                stride: conv.plan.stride as i64,
                padding: conv.plan.padding as i64,
                dilation: conv.plan.dilation as i64,
                groups: conv.plan.groups as i64,
                input,
                output,
            },
            Operation::Linear(linear) => LayerDescription::Linear {
                name,
                weight: linear.weight.size(),
                bias: linear.bias.is_some(),
                input,
                output,
            },
        }
    }
}
