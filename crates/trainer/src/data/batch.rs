//! A batch as tensors for the network and the loss.

use anyhow::{Context, Result};
use tch::{Device, Tensor};
use tks_data::Batch;
use tks_models::Input;

/// A batch as tensors on the device.
#[derive(Debug)]
pub struct TensorBatch {
    /// `[T, B, C, H, W]`, or `[B, C, H, W]` for images.
    pub inputs: Tensor,
    /// The classes, `[B]`, `i64`.
    pub labels: Tensor,
    /// Soft labels `[B, K]`, if samples were mixed.
    pub soft: Option<Tensor>,
    /// Number of samples.
    pub len: usize,
}

impl TensorBatch {
    /// Copies a batch to `device`.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub fn new(batch: &Batch<f32>, device: Device) -> Result<Self> {
        let shape: Vec<i64> = batch.inputs().shape().iter().map(|&length| length as i64).collect();
        let inputs = Tensor::f_from_slice(batch.as_slice())?.f_view(shape.as_slice())?.f_to_device(device)?;
        let labels = Tensor::f_from_slice(batch.labels())?.f_to_device(device)?;
        let soft = match batch.soft_labels() {
            Some(soft) => {
                let values = soft.as_slice().context("soft labels lie in order")?;
                let size = [soft.nrows() as i64, soft.ncols() as i64];
                Some(Tensor::f_from_slice(values)?.f_view(size)?.f_to_device(device)?)
            }
            None => None,
        };
        Ok(TensorBatch { inputs, labels, soft, len: batch.len() })
    }

    /// The network's input.
    pub fn input(&self, time_steps: usize) -> Input<'_> {
        match self.inputs.dim() {
            4 => Input::Static(&self.inputs, time_steps),
            _ => Input::Sequence(&self.inputs),
        }
    }

    /// The loss's target.
    pub fn target(&self) -> tks_loss::Target<'_> {
        match &self.soft {
            Some(soft) => tks_loss::Target::Soft(soft),
            None => tks_loss::Target::Hard(&self.labels),
        }
    }
}
