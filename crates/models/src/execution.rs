//! How a network is executed, without effect on the results except for rounding.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tks_autograd::convolution::ConvBackend;
use tks_autograd::layer::Backend;

use crate::error::ModelError;

/// How a network is executed. In TOML, the table `[execution]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Execution {
    /// Order of computation: all time steps of a layer before the next layer, or all layers of a time step
    /// before the next step.
    pub mode: Mode,
    /// Whether the channels of each pixel are adjacent in memory for libtorch's own convolutions too (for the
    /// sparse ones, they always are).
    pub channels_last: bool,
    /// Whether convolutions and linear layers use `bf16`; weights, batch norm and neurons stay in `f32`.
    pub bf16: bool,
    /// Whether only the input of each block is kept for the backward pass and the rest is recomputed: less
    /// memory, a third more time.
    pub checkpoint_blocks: bool,
    /// The implementation of neurons.
    pub neurons: Backend,
    /// The implementation of convolutions.
    pub convolution: ConvBackend,
}

/// The order in which time steps and layers are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// All steps of a layer, then the next layer: the fastest, and required in training for batch norm over
    /// all steps.
    #[default]
    LayerByLayer,
    /// All layers of a step, then the next step: uses the memory of one step. Not for training with batch
    /// norm, which would normalise each step separately and so change the results.
    StepByStep,
}

impl Execution {
    /// `[..., C, H, W]` in the requested memory layout.
    pub(crate) fn laid_out(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if !self.channels_last {
            return Ok(x.shallow_clone());
        }
        Ok(x.f_movedim_int(-3, -1)?.f_contiguous()?.f_movedim_int(-1, -3)?)
    }
}
