//! Conversions between shapes of signals: vectors, tokens.

use tch::{Kind, Tensor};

use crate::context::ForwardContext;
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::{Layer, StaticPart};

/// A vector of all features: `[C, H, W]` or `[N, D]` to `[F]`.
#[derive(Debug, Clone, Copy)]
pub struct Flatten;

/// One token per pixel, in row-major order: `[C, H, W]` to `[N, D]`, `N = H * W`, `D = C`.
#[derive(Debug, Clone, Copy)]
pub struct ToTokens;

/// Mean over tokens: `[N, D]` to `[D]`.
#[derive(Debug, Clone, Copy)]
pub struct MeanOfTokens;

impl Layer for Flatten {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        Ok(x.f_flatten(2, -1)?)
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::Flatten])
    }
}

impl Layer for ToTokens {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        // From here on, tokens are contiguous in memory: each layer operates over `D`.
        Ok(x.f_flatten(3, 4)?.f_transpose(2, 3)?.f_contiguous()?)
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::ToTokens])
    }
}

impl Layer for MeanOfTokens {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        Ok(x.f_mean_dim(2i64, false, Kind::Float)?)
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::MeanOfTokens])
    }
}
