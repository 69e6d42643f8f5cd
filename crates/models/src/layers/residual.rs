//! Two branches with the same input.

use tch::Tensor;

use crate::config::Connect;
use crate::context::ForwardContext;
use crate::description::{JoinDescription, LayerDescription};
use crate::error::ModelError;
use crate::layers::{Layer, Neurons};

/// A residual block. Created by [`crate::Builder::push_residual`].
#[derive(Debug)]
pub struct ResidualBlock {
    /// The residual branch.
    pub(crate) main: Vec<Box<dyn Layer>>,
    /// The shortcut; empty: the input itself.
    pub(crate) shortcut: Vec<Box<dyn Layer>>,
    pub(crate) join: Join,
}

/// How a residual block joins its branches.
#[derive(Debug)]
#[non_exhaustive]
pub enum Join {
    /// Element by element.
    Connect(Connect),
    /// Currents (the shortcut's may be spikes) are added before neurons fire.
    AddAndFire(Box<Neurons>),
}

fn through(
    layers: &[Box<dyn Layer>],
    x: &Tensor,
    context: &mut ForwardContext<'_>,
) -> Result<Tensor, ModelError> {
    layers.iter().try_fold(x.shallow_clone(), |x, layer| layer.forward(&x, context))
}

fn share(layers: &[Box<dyn Layer>]) -> Option<Vec<Box<dyn Layer>>> {
    layers.iter().map(|layer| layer.share()).collect()
}

fn describe(layers: &[Box<dyn Layer>]) -> Result<Vec<LayerDescription>, ModelError> {
    let described = layers.iter().map(|layer| layer.describe()).collect::<Result<Vec<_>, _>>()?;
    Ok(described.into_iter().flatten().collect())
}

impl ResidualBlock {
    fn layers(&self) -> impl Iterator<Item = &dyn Layer> {
        self.main.iter().chain(&self.shortcut).map(|layer| &**layer)
    }
}

impl Layer for ResidualBlock {
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let main = through(&self.main, x, context)?;
        let shortcut = through(&self.shortcut, x, context)?;
        match &self.join {
            Join::Connect(Connect::Add) => Ok(main.f_add(&shortcut)?),
            Join::Connect(Connect::And) => Ok(main.f_mul(&shortcut)?),
            Join::Connect(Connect::Iand) => Ok(main.f_neg()?.f_add_scalar(1.0)?.f_mul(&shortcut)?),
            Join::AddAndFire(neurons) => neurons.fire(&main.f_add(&shortcut)?, None, context),
        }
    }

    fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        self.layers().for_each(|layer| layer.parameters(parameters));
        if let Join::AddAndFire(neurons) = &self.join {
            neurons.parameters(parameters);
        }
    }

    fn share(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(ResidualBlock {
            main: share(&self.main)?,
            shortcut: share(&self.shortcut)?,
            join: match &self.join {
                Join::Connect(connect) => Join::Connect(*connect),
                Join::AddAndFire(neurons) => Join::AddAndFire(Box::new(neurons.share())),
            },
        }))
    }

    fn needs_all_steps(&self) -> bool {
        self.layers().any(|layer| layer.needs_all_steps())
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let (join, after) = match &self.join {
            Join::Connect(Connect::Add) => (JoinDescription::Add, Vec::new()),
            Join::Connect(Connect::And) => (JoinDescription::And, Vec::new()),
            Join::Connect(Connect::Iand) => (JoinDescription::Iand, Vec::new()),
            Join::AddAndFire(neurons) => (JoinDescription::Add, vec![neurons.describe()?]),
        };
        let (main, shortcut) = (describe(&self.main)?, describe(&self.shortcut)?);
        Ok(vec![LayerDescription::Block { main, shortcut, join, after }])
    }
}
