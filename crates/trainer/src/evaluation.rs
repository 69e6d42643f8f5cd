//! Evaluation of a network: accuracy after each number of steps, confusion, firing rates.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use tks_data::Loader;
use tks_models::{Execution, FiringRates, SpikingModel};
use tks_report::{Confusion, LayerActivity};

use crate::data::{Samples, TensorBatch};

/// The results of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Mean cross entropy of the mean logits over all steps.
    pub loss: f64,
    /// Share of samples classified correctly by the mean over the first 1, 2, ... T steps, 0 to 1.
    pub accuracy_by_steps: Vec<f64>,
    /// The confusion matrix, with all steps.
    pub confusion: Confusion,
    /// Firing rates of each layer and step.
    pub activity: Vec<LayerActivity>,
}

impl Evaluation {
    /// The accuracy with all steps, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.accuracy_by_steps.last().copied().unwrap_or(0.0)
    }

    /// Mean firing rate over neurons and steps.
    pub fn firing_rate(&self) -> Option<f64> {
        let neurons: u64 = self.activity.iter().map(|layer| layer.neurons).sum();
        let weigh = |layer: &LayerActivity| Some(layer.mean_rate()? * layer.neurons as f64);
        let spikes: f64 = self.activity.iter().filter_map(weigh).sum();
        (neurons > 0).then(|| spikes / neurons as f64)
    }
}

/// Evaluates a network on the samples of `loader`, without gradients, with `time_steps` steps; `progress`
/// receives the number of completed batches and the total.
///
/// # Errors
/// A sample that cannot be read; non-finite weights, membrane potentials or logits; errors from libtorch.
pub fn evaluate(
    network: &dyn SpikingModel,
    loader: &Loader<Samples>,
    classes: &[String],
    time_steps: usize,
    execution: &Execution,
    mut progress: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Evaluation> {
    for (name, tensor) in network.named_tensors() {
        ensure!(
            bool::try_from(tensor.f_isfinite()?.f_all()?)?,
            "`{name}` of the network holds values that are not finite, so that its answers mean nothing"
        );
    }
    let batches = loader.batches();
    let mut confusion = Confusion::new(classes.to_vec());
    let mut right = vec![0i64; time_steps];
    let (mut samples, mut loss) = (0, 0.0);
    let mut rates = FiringRates::default();
    for (number, batch) in loader.epoch(0)?.enumerate() {
        let batch = batch?;
        let tensors = TensorBatch::new(&batch, network.device())?;
        drop(batch);
        let logits = tch::no_grad(|| {
            network.forward_observed(tensors.input(time_steps), false, execution, &mut rates)
        })?;
        let found = tch::no_grad(|| Found::new(&logits, &tensors.labels))?;
        if let Some(&first) = found.not_finite.first() {
            let place = network.locate_non_finite(tensors.input(time_steps), false, execution)?;
            let place = place.map_or(String::new(), |found| format!(": it begins in `{}`", found.place));
            bail!(
                "the logits of {} of the {} samples in test batch {} are not finite, the first of `{}`{place}",
                found.not_finite.len(),
                tensors.len,
                number + 1,
                loader.dataset().sample_name(samples + first),
            );
        }
        ensure!(
            found.right.len() == time_steps,
            "the network ran {} steps, not {time_steps}",
            found.right.len()
        );
        for (sum, right) in right.iter_mut().zip(&found.right) {
            *sum += right;
        }
        samples += tensors.len;
        loss += found.loss * tensors.len as f64;
        let labels = Vec::<i64>::try_from(&tensors.labels)?;
        for (label, prediction) in labels.into_iter().zip(found.predictions) {
            confusion.add(usize::try_from(label)?, usize::try_from(prediction)?)?;
        }
        progress(number + 1, batches)?;
    }
    let rates = rates.layers();
    ensure!(samples > 0, "there is nothing to test on");
    if let Some(layer) = rates.iter().find(|layer| !layer.finite) {
        bail!(
            "membranes of `{}` are not finite: such neurons never fire, so that the accuracy means nothing",
            layer.name
        );
    }
    let activity = rates.into_iter().map(|layer| LayerActivity {
        neurons: neuron_count(network, &layer.name),
        layer: layer.name,
        firing_rate: layer.rates,
    });
    Ok(Evaluation {
        samples,
        loss: loss / samples as f64,
        accuracy_by_steps: right.into_iter().map(|right| right as f64 / samples as f64).collect(),
        confusion,
        activity: activity.collect(),
    })
}

/// Number of neurons of a layer for one sample, by the layer's name; 0 if there is no such layer.
pub fn neuron_count(network: &dyn SpikingModel, name: &str) -> u64 {
    let layer = network.summary().layers.iter().find(|layer| layer.name == name);
    layer.map_or(0, |layer| layer.output.iter().product::<usize>() as u64)
}

/// The results for the logits of a batch, `[T, B, K]`.
struct Found {
    /// Number of samples classified correctly by the first t + 1 steps, `[T]`.
    right: Vec<i64>,
    /// Predicted classes with all steps, `[B]`.
    predictions: Vec<i64>,
    /// Mean cross entropy with all steps.
    loss: f64,
    /// Indices in the batch of samples with a non-finite logit.
    not_finite: Vec<usize>,
}

impl Found {
    fn new(logits: &Tensor, labels: &Tensor) -> Result<Self> {
        // The sum over the first steps has its maximum at the same class as their mean.
        let sums = logits.f_cumsum(0, Kind::Float)?;
        let classes = sums.f_argmax(2, false)?;
        let right = classes.f_eq_tensor(labels)?.f_sum_dim_intlist(1, false, Kind::Int64)?;
        let mean = logits.f_mean_dim(0, false, Kind::Float)?;
        let loss = mean.f_cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Mean, -100, 0.0)?;
        let finite = logits.f_isfinite()?.f_all_dim(0, false)?.f_all_dim(1, false)?;
        let finite = Vec::<bool>::try_from(finite)?.into_iter().enumerate();
        Ok(Found {
            not_finite: finite.filter(|(_, finite)| !finite).map(|(place, _)| place).collect(),
            right: Vec::<i64>::try_from(right)?,
            predictions: Vec::<i64>::try_from(classes.f_get(-1).context("there is a step")?)?,
            loss: loss.f_double_value(&[])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_that_of_the_mean_over_the_first_steps() {
        // Two steps, three samples, two classes.
        let logits = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 1.0, 0.0, 1.0])
            .view([2, 3, 2]);
        let labels = Tensor::from_slice(&[1i64, 1, 0]);
        let found = Found::new(&logits, &labels).unwrap();
        // First step: 0, 1, 0; both: 1, 1, 0.
        assert_eq!((found.right, found.predictions), (vec![2, 3], vec![1, 1, 0]));
        let cross_entropy = |own: f64, other: f64| (1.0 + (other - own).exp()).ln();
        let expected = (cross_entropy(1.5, 0.5) + cross_entropy(1.0, 0.0) + cross_entropy(1.0, 0.5)) / 3.0;
        assert!((found.loss - expected).abs() < 1e-6);
    }
    #[test]
    fn samples_whose_logits_are_not_finite_are_found() {
        let logits = Tensor::from_slice(&[
            1.0f32,
            0.0,
            f32::NAN,
            0.0,
            1.0,
            0.0,
            1.0,
            0.0,
            1.0,
            0.0,
            1.0,
            f32::INFINITY,
        ])
        .view([2, 3, 2]);
        let found = Found::new(&logits, &Tensor::from_slice(&[0i64, 0, 0])).unwrap();
        assert_eq!(found.not_finite, [1, 2]);
    }
}
