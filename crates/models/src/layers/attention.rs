//! Spiking self-attention: products of spiking queries, keys and values. Zhou et al., "Spikformer: When
//! Spiking Neural Network Meets Transformer", ICLR 2023.

use tch::{Kind, Tensor};

use crate::context::{ForwardContext, merge_steps};
use crate::description::LayerDescription;
use crate::error::ModelError;
use crate::layers::{Layer, StaticPart};

/// `scale q k^T v` for each head, without a softmax: tokens `[N, 3 D]`, containing queries, keys and values
/// in this order, to `[N, D]`. Created by [`crate::Builder::push_attention`].
///
/// For values of 0 and 1, the products are integers, at most `N d` for a head of `d = D / heads` features,
/// and exact in `f32` up to 2^24. They are therefore exact in any order, and the one with fewer
/// multiplications is used: `q (k^T v)` if a head has no more features than there are tokens.
#[derive(Debug, Clone)]
pub struct SpikingAttention {
    pub(crate) name: String,
    pub(crate) heads: i64,
    pub(crate) scale: f64,
}

impl SpikingAttention {
    /// Multiply-accumulate operations for one sample at one step, for `tokens` tokens with `features`
    /// features.
    pub(crate) fn macs(tokens: usize, features: usize, heads: usize) -> u64 {
        2 * (tokens * features) as u64 * tokens.min(features / heads) as u64
    }
}

impl Layer for SpikingAttention {
    fn forward(&self, x: &Tensor, context: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let [steps, batch, tokens, width] = <[i64; 4]>::try_from(x.size()).map_err(|actual| {
            ModelError::Input { actual, expected: "[T, B, N, 3 D] for attention".to_owned() }
        })?;
        if let Some(observer) = context.observer() {
            observer.synapse_input(&self.name, &merge_steps(x)?)?;
        }
        let size = width / 3 / self.heads;
        let split = x.f_to_kind(Kind::Float)?.f_view([steps * batch, tokens, 3, self.heads, size])?;
        // Each [T * B, heads, N, d].
        let part = |index| -> Result<Tensor, ModelError> { Ok(split.f_select(2, index)?.f_transpose(1, 2)?) };
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let k = k.f_transpose(2, 3)?;
        let product =
            if size <= tokens { q.f_matmul(&k.f_matmul(&v)?)? } else { q.f_matmul(&k)?.f_matmul(&v)? };
        let joined = product.f_mul_scalar(self.scale)?.f_transpose(1, 2)?;
        Ok(joined.f_reshape([steps, batch, tokens, width / 3])?)
    }

    fn share(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(self.clone()))
    }

    fn static_part(&self) -> StaticPart {
        StaticPart::Whole
    }

    fn describe(&self) -> Result<Vec<LayerDescription>, ModelError> {
        Ok(vec![LayerDescription::Attention { heads: self.heads, scale: self.scale }])
    }
}
