//! What stands one after the other in a network: units, pools, residual blocks.

use tch::{Kind, Tensor};
use tks_autograd::avg_pool2d;

use crate::config::Connect;
use crate::error::ModelError;
use crate::pass::{Pass, merge_steps, split_steps};
use crate::unit::{Neurons, Unit};

/// One layer of a network.
#[derive(Debug)]
pub(crate) enum Layer {
    Unit(Unit),
    Block(Block),
    AvgPool { size: i64 },
    MaxPool { size: i64, stride: i64, padding: i64 },
    GlobalAvgPool,
    Flatten,
    Dropout { rate: f64 },
}

/// A residual block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The residual branch.
    pub(crate) main: Vec<Unit>,
    /// The shortcut; `None`: the input itself.
    pub(crate) shortcut: Option<Unit>,
    pub(crate) join: Join,
}

/// How a block joins its branches.
#[derive(Debug)]
pub(crate) enum Join {
    /// Spikes with spikes.
    Spikes(Connect),
    /// Currents (the shortcut's may be spikes) are added, then neurons fire.
    Currents(Neurons),
}

impl Layer {
    /// `x` of shape `[T, B, ...]`.
    pub(crate) fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        match self {
            Layer::Unit(unit) => unit.forward(x, pass),
            Layer::Block(block) => block.forward(x, pass),
            _ => split_steps(&self.without_time(&merge_steps(x)?, x.size()[0], pass)?, x.size()[0]),
        }
    }

    /// A layer that does the same at each step, over `x` of shape `[T * B, ...]`.
    pub(crate) fn without_time(
        &self,
        x: &Tensor,
        time_steps: i64,
        pass: &mut Pass<'_>,
    ) -> Result<Tensor, ModelError> {
        Ok(match self {
            Layer::AvgPool { size } => avg_pool2d(x, *size)?,
            Layer::MaxPool { size, stride, padding } => {
                x.f_max_pool2d([*size; 2], [*stride; 2], [*padding; 2], [1, 1], false)?
            }
            Layer::GlobalAvgPool => x.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float)?,
            Layer::Flatten => x.f_flatten(1, -1)?,
            Layer::Dropout { rate } => {
                if !pass.train || *rate == 0.0 {
                    return Ok(x.shallow_clone());
                }
                let steps = split_steps(x, time_steps)?;
                let first = steps.f_select(0, 0)?;
                let kept = tch::no_grad(|| first.f_ones_like()?.f_bernoulli_p(1.0 - rate))?;
                merge_steps(&(steps.f_mul(&kept)?.f_div_scalar(1.0 - rate)?))?
            }
            Layer::Unit(_) | Layer::Block(_) => {
                return Err(ModelError::Execution("a layer with neurons needs time".into()));
            }
        })
    }
}

impl Layer {
    /// A second handle to the same parameters, for layers that have any.
    pub(crate) fn share(&self) -> Option<Layer> {
        match self {
            Layer::Unit(unit) => Some(Layer::Unit(unit.share())),
            Layer::Block(block) => Some(Layer::Block(block.share())),
            _ => None,
        }
    }

    /// Appends the tensors that gradients flow to.
    pub(crate) fn learned<'a>(&'a self, tensors: &mut Vec<&'a Tensor>) {
        match self {
            Layer::Unit(unit) => unit.learned(tensors),
            Layer::Block(block) => block.learned(tensors),
            _ => {}
        }
    }
}

impl Block {
    fn share(&self) -> Block {
        Block {
            main: self.main.iter().map(Unit::share).collect(),
            shortcut: self.shortcut.as_ref().map(Unit::share),
            join: match &self.join {
                Join::Spikes(connect) => Join::Spikes(*connect),
                Join::Currents(neurons) => Join::Currents(neurons.share()),
            },
        }
    }

    fn learned<'a>(&'a self, tensors: &mut Vec<&'a Tensor>) {
        self.main.iter().chain(&self.shortcut).for_each(|unit| unit.learned(tensors));
        if let Join::Currents(neurons) = &self.join {
            neurons.learned(tensors);
        }
    }

    pub(crate) fn forward(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Tensor, ModelError> {
        let mut main = x.shallow_clone();
        for unit in &self.main {
            main = unit.forward(&main, pass)?;
        }
        let shortcut = match &self.shortcut {
            Some(unit) => unit.forward(x, pass)?,
            None => x.shallow_clone(),
        };
        match &self.join {
            Join::Spikes(Connect::Add) => Ok(main.f_add(&shortcut)?),
            Join::Spikes(Connect::And) => Ok(main.f_mul(&shortcut)?),
            Join::Spikes(Connect::Iand) => Ok(main.f_neg()?.f_add_scalar(1.0)?.f_mul(&shortcut)?),
            Join::Currents(neurons) => neurons.fire(&main.f_add(&shortcut)?, None, pass),
        }
    }
}
