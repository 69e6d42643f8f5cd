//! How a network runs: none of it changes what is computed, but for rounding.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tks_autograd::convolution::ConvBackend;
use tks_autograd::layer::Backend;

use crate::error::ModelError;

/// How a network runs. In TOML, the table `[execution]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// All steps of a layer before the next layer, or all layers of a step before the next step.
    pub mode: Mode,
    /// Keep each pixel's channels side by side in memory, also where libtorch's own convolutions run (the sparse ones
    /// always do).
    pub channels_last: bool,
    /// Convolutions and linear layers in `bf16`; weights, batch norm and neurons stay in `f32`.
    pub bf16: bool,
    /// Keep only each block's input for the backward pass and compute the rest again: less memory, a third more time.
    pub checkpoint_blocks: bool,
    /// Which implementation of neurons.
    pub neurons: Backend,
    /// Which implementation of convolutions.
    pub convolution: ConvBackend,
}

/// The order in which steps and layers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All steps of a layer, then the next layer: the fastest, and what batch norm over all steps needs in training.
    #[default]
    LayerByLayer,
    /// All layers of a step, then the next step: the memory of one step. Not for training with batch norm, which
    /// would take each step's statistics by themselves and so compute something else.
    StepByStep,
}

impl Execution {
    /// `[..., C, H, W]` in the layout asked for.
    pub(crate) fn laid_out(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if !self.channels_last {
            return Ok(x.shallow_clone());
        }
        Ok(x.f_movedim_int(-3, -1)?.f_contiguous()?.f_movedim_int(-1, -3)?)
    }
}
