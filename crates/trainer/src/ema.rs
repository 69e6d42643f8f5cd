//! A moving average of the weights, which is used for evaluation.

use anyhow::Result;
use tch::{Tensor, no_grad};

/// Exponential moving average of a network's tensors, including running statistics. Polyak and Juditsky,
/// 1992.
#[derive(Debug)]
pub(crate) struct Ema {
    decay: f64,
    average: Vec<(String, Tensor)>,
}

impl Ema {
    /// Starts at the network's current values. At each update, the average keeps the share `decay` of itself.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub(crate) fn new(decay: f64, tensors: &[(String, Tensor)]) -> Result<Self> {
        let copy = |(name, tensor): &(String, Tensor)| Ok((name.clone(), copied(tensor)?));
        Ok(Ema { decay, average: tensors.iter().map(copy).collect::<Result<_>>()? })
    }

    /// Updates the average with the network's values.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub(crate) fn update(&mut self, tensors: &[(String, Tensor)]) -> Result<()> {
        no_grad(|| {
            for ((_, average), (_, tensor)) in self.average.iter_mut().zip(tensors) {
                if average.is_floating_point() {
                    let _moved = average.f_lerp_(tensor, 1.0 - self.decay)?;
                } else {
                    average.f_copy_(tensor)?;
                }
            }
            Ok(())
        })
    }

    /// Swaps the values of the network and the average; a second call swaps them back.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub(crate) fn swap(&mut self, tensors: &[(String, Tensor)]) -> Result<()> {
        no_grad(|| {
            for ((_, average), (_, tensor)) in self.average.iter_mut().zip(tensors) {
                let own = copied(tensor)?;
                tensor.shallow_clone().f_copy_(average)?;
                *average = own;
            }
            Ok(())
        })
    }

    /// The tensors of the average, with their names.
    pub(crate) fn tensors(&self) -> &[(String, Tensor)] {
        &self.average
    }
}

fn copied(tensor: &Tensor) -> Result<Tensor> {
    let mut copy = tensor.f_detach()?.f_empty_like()?;
    copy.f_copy_(&tensor.f_detach()?)?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_weights_and_swaps_with_them() {
        let weight = Tensor::from_slice(&[1.0f32, 2.0]);
        let tensors = vec![("w".to_string(), weight.shallow_clone())];
        let mut ema = Ema::new(0.75, &tensors).unwrap();
        no_grad(|| weight.shallow_clone().copy_(&Tensor::from_slice(&[5.0f32, 2.0])));
        ema.update(&tensors).unwrap();
        let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor).unwrap();
        assert_eq!(values(&ema.tensors()[0].1), [2.0, 2.0]);
        ema.swap(&tensors).unwrap();
        assert_eq!((values(&weight), values(&ema.tensors()[0].1)), (vec![2.0, 2.0], vec![5.0, 2.0]));
        ema.swap(&tensors).unwrap();
        assert_eq!(values(&weight), [5.0, 2.0]);
    }
}
