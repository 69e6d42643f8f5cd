//! A layer that multiplies each channel of the signal by a learned factor.

use serde::Deserialize;
use tch::{Kind, Tensor};
use tks_models::{Builder, ForwardContext, Layer, LayerKind, LayerPlan, ModelError, Shape, Signal};

/// Its settings: `{ gain = { start = 1.5 } }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gain {
    /// The initial factor of every channel.
    start: f64,
}

impl LayerPlan for Gain {
    fn check(&self) -> Result<(), ModelError> {
        if self.start.is_finite() {
            return Ok(());
        }
        Err(ModelError::Config { field: "start".into(), problem: "should be a finite number".into() })
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        let signal = builder.signal();
        let (channels, shape) = match signal.shape {
            Shape::Image { channels, .. } => (channels, vec![channels as i64, 1, 1]),
            Shape::Features(features) => (features, vec![features as i64]),
            other => {
                let problem = format!("takes channels or features, not {:?}", other.sizes());
                return Err(ModelError::Config { field: name.to_owned(), problem });
            }
        };
        let start = Tensor::f_full(shape.as_slice(), self.start, (Kind::Float, tch::Device::Cpu))?;
        let factors = builder.parameter(&format!("{name}.factors"), start)?;
        let macs = signal.shape.sizes().iter().product::<usize>() as u64;
        builder.note(name, LayerKind::Own, signal, channels, macs);
        // The output no longer consists of spikes.
        builder.set_signal(Signal { spikes: false, ..signal });
        builder.push(GainLayer(factors));
        Ok(())
    }
}

/// `x` of `[T, B, C, H, W]` or `[T, B, F]`, multiplied by one factor per channel.
#[derive(Debug)]
struct GainLayer(Tensor);

impl Layer for GainLayer {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        Ok(x.f_mul(&self.0)?)
    }

    fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        parameters.push(&self.0);
    }
}
