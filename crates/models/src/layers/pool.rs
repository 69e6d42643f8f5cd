//! Pooling of images `[C, H, W]`.

use tch::{Kind, Tensor};
use tks_autograd::avg_pool2d;

use crate::context::{ForwardContext, merge_steps, split_steps};
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::{Layer, StaticPart};

/// Average pooling over non-overlapping square windows.
#[derive(Debug, Clone, Copy)]
pub struct AvgPool {
    pub(crate) size: i64,
}

/// Max pooling over square windows.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool {
    pub(crate) size: i64,
    pub(crate) stride: i64,
    pub(crate) padding: i64,
}

/// Global average pooling: `[C, H, W]` to `[C]`.
#[derive(Debug, Clone, Copy)]
pub struct GlobalAvgPool;

/// Runs an operation on `[T * B, ...]`.
pub(super) fn without_time(
    x: &Tensor,
    operation: impl FnOnce(&Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    split_steps(&operation(&merge_steps(x)?)?, x.size()[0])
}

impl Layer for AvgPool {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        without_time(x, |x| Ok(avg_pool2d(x, self.size)?))
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::AvgPool { size: self.size }])
    }
}

impl Layer for MaxPool {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let MaxPool { size, stride, padding } = *self;
        without_time(x, |x| Ok(x.f_max_pool2d([size; 2], [stride; 2], [padding; 2], [1, 1], false)?))
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        let MaxPool { size, stride, padding } = *self;
        Ok(vec![LayerDescription::MaxPool { size, stride, padding }])
    }
}

impl Layer for GlobalAvgPool {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        without_time(x, |x| Ok(x.f_mean_dim([2i64, 3].as_slice(), false, Kind::Float)?))
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::GlobalAvgPool])
    }
}
