//! Signs of a training that does not work and that its figures alone do not show: too few steps, the same
//! class for every sample, layers that are silent in evaluation, outdated running statistics.

use std::collections::BTreeSet;

use tks_models::NormGap;

use crate::config::Config;
use crate::evaluation::Evaluation;
use crate::watch::SILENT;

/// With fewer optimiser steps than this, a network hardly changes.
const FEW_STEPS: usize = 200;

/// With fewer steps per epoch than this, a smaller batch would be better.
const FEW_STEPS_AN_EPOCH: usize = 5;

/// Share of the training after which an evaluation should be better than chance.
const BEGINNING: f64 = 0.25;

/// If running variances differ from a batch's by more than this factor, or means by more than this many
/// standard deviations, the network behaves differently in evaluation.
const FAR_VARIANCE: f64 = 4.0;
const FAR_MEAN: f64 = 1.0;

/// Number of layers listed by name; of more, only the number is given.
const NAMED: usize = 3;

/// The signs; each is reported once per training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Chance,
    Silence,
    Statistics,
    Average,
}

/// Checks evaluations for signs of a training that does not work.
#[derive(Debug, Default)]
pub(crate) struct Health {
    told: BTreeSet<Sign>,
}

/// The position of a training when its evaluation is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Number of completed epochs.
    pub epochs: usize,
    /// Number of completed optimiser steps.
    pub steps: usize,
}

impl Health {
    /// Whether an evaluation should show progress: after the warm-up and the first part of a training, and at
    /// its end.
    pub(crate) fn is_due(config: &Config, epochs_done: usize) -> bool {
        let epochs = config.training.epochs;
        let warmup = config.schedule.warmup(epochs).ceil();
        let beginning = (BEGINNING * epochs as f64).ceil();
        epochs_done >= epochs || epochs_done as f64 >= beginning.max(warmup + 1.0)
    }

    /// The warnings for an evaluation that were not reported before; `gaps` are from
    /// [`tks_models::Network::norm_gaps`].
    pub(crate) fn look(
        &mut self,
        config: &Config,
        moment: Moment,
        evaluation: &Evaluation,
        gaps: &[NormGap],
    ) -> Vec<String> {
        let found = [
            (Sign::Chance, chance(evaluation)),
            (Sign::Silence, silence(evaluation)),
            (Sign::Statistics, statistics(gaps, moment.steps)),
            (Sign::Average, average(config, moment.steps)),
        ];
        let after = format!("after epoch {} of {}: ", moment.epochs, config.training.epochs);
        let found = found.into_iter().filter_map(|(sign, text)| Some((sign, text?)));
        found.filter(|(sign, _)| self.told.insert(*sign)).map(|(_, text)| after.clone() + &text).collect()
    }
}

/// The warning for a training with few optimiser steps; `steps` is the number in an epoch of `samples`
/// samples.
pub(crate) fn few_steps(config: &Config, samples: usize, steps: usize) -> Option<String> {
    let training = &config.training;
    let all = steps * training.epochs;
    if all >= FEW_STEPS && (steps >= FEW_STEPS_AN_EPOCH || all >= 10 * FEW_STEPS) {
        return None;
    }
    let remedy = match smaller_batch(samples, training.samples_per_step()) {
        Some(batch) if training.accumulation > 1 => {
            format!(
                "a `training.batch_size` of {batch} without `training.accumulation`, or more `training.epochs`"
            )
        }
        Some(batch) => format!("a `training.batch_size` of {batch}, or more `training.epochs`"),
        None => "more `training.epochs`".into(),
    };
    Some(format!(
        "an epoch is {} of the optimiser ({samples} samples, {} a step) and the whole training {all}, which is little to \
         learn from: try {remedy}",
        counted(steps, "step"),
        training.samples_per_step(),
    ))
}

/// A batch size that results in at least ten steps per epoch, if smaller than the present one.
fn smaller_batch(samples: usize, present: usize) -> Option<usize> {
    let most = (samples / 10).max(1);
    let batch = 1usize << most.ilog2();
    let batch = batch.clamp(4, 128);
    (batch < present).then_some(batch)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Accuracy no better than always predicting the most frequent class.
fn chance(evaluation: &Evaluation) -> Option<String> {
    let confusion = &evaluation.confusion;
    let classes = confusion.counts.len();
    let of_class: Vec<u64> = confusion.counts.iter().map(|row| row.iter().sum()).collect();
    let named: Vec<u64> =
        (0..classes).map(|class| confusion.counts.iter().map(|row| row[class]).sum()).collect();
    let samples = evaluation.samples as f64;
    let (largest, count) = of_class.iter().enumerate().max_by_key(|(_, count)| **count)?;
    let share = *count as f64 / samples;
    // A set with a single class is not informative.
    if classes < 2 || share >= 1.0 {
        return None;
    }
    let accuracy = evaluation.accuracy();
    let noise = (share * (1.0 - share) / samples).sqrt();
    let name = |class: usize| confusion.classes.get(class).map_or("?", String::as_str);
    if let Some(only) = named.iter().position(|&count| count as f64 == samples) {
        return Some(format!(
            "every test sample is taken for `{}`, so that the accuracy of {:.1}% is that class's share; the network has \
             not learned to tell the classes apart",
            name(only),
            100.0 * accuracy
        ));
    }
    (accuracy <= share + noise).then(|| {
        format!(
            "the accuracy of {:.1}% is no better than to answer `{}` each time ({:.1}%); the network has not learned to \
             tell the classes apart",
            100.0 * accuracy,
            name(largest),
            100.0 * share
        )
    })
}

/// Layers without spikes in evaluation, regardless of training.
fn silence(evaluation: &Evaluation) -> Option<String> {
    let silent =
        evaluation.activity.iter().filter(|layer| layer.mean_rate().is_some_and(|rate| rate < SILENT));
    let silent: Vec<&str> = silent.map(|layer| layer.layer.as_str()).collect();
    let names = some_names(&silent)?;
    Some(format!(
        "the neurons of {names} hardly fire in evaluation, and nothing that depends on the input gets past them; more steps of the \
         optimiser (a smaller `training.batch_size`, more `training.epochs`), a lower `network.neuron.v_threshold` or \
         another `optimizer.lr` may help"
    ))
}

/// Running statistics that differ from those of the batches.
fn statistics(gaps: &[NormGap], steps: usize) -> Option<String> {
    let is_far = |gap: &&NormGap| {
        gap.variance_ratio > FAR_VARIANCE
            || gap.variance_ratio < 1.0 / FAR_VARIANCE
            || gap.mean_distance > FAR_MEAN
    };
    let far: Vec<&NormGap> = gaps.iter().filter(is_far).collect();
    let first = far.first()?;
    let names: Vec<&str> = far.iter().map(|gap| gap.name.as_str()).collect();
    Some(format!(
        "the running statistics of the batch norm {}, by which evaluation normalises, are far from those of a batch, by \
         which training does (`{}`: the variance is {:.2} times the batch's, the mean is off by {:.2} standard \
         deviations). They move by a tenth in each step, and {} hardly enough: a smaller `training.batch_size` or more \
         `training.epochs` give more",
        some_names(&names)?,
        first.name,
        first.variance_ratio,
        first.mean_distance,
        if steps == 1 { "1 step is".into() } else { format!("{steps} steps may be") },
    ))
}

/// A moving average still dominated by the initial weights.
fn average(config: &Config, steps: usize) -> Option<String> {
    let decay = config.training.ema_decay?;
    let left = decay.powf(steps as f64);
    (left > 0.1).then(|| {
        format!(
            "{:.0}% of the moving average that is evaluated are still the initial weights: {} with a \
             `training.ema_decay` of {decay} are few; a lower one, or more steps, or none",
            100.0 * left,
            counted(steps, "step")
        )
    })
}

/// The first names of a list; `None` if it is empty.
fn some_names(names: &[&str]) -> Option<String> {
    let listed: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        _ if names.is_empty() => None,
        0 => Some(listed.join(", ")),
        more => Some(format!("{} and {more} more", listed.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tks_report::{Confusion, LayerActivity};

    fn config(epochs: usize, batch_size: usize) -> Config {
        let mut config = Config::default();
        (config.training.epochs, config.training.batch_size) = (epochs, batch_size);
        config
    }

    /// An evaluation with these counts, one row per class, and firing rates.
    fn evaluation(counts: &[[u64; 3]], rates: &[f64]) -> Evaluation {
        let mut confusion = Confusion::new(["ant", "bee", "cow"].map(str::to_owned).to_vec());
        for (class, row) in counts.iter().enumerate() {
            for (answer, &count) in row.iter().enumerate() {
                (0..count).for_each(|_| confusion.add(class, answer).unwrap());
            }
        }
        let samples: u64 = counts.iter().flatten().sum();
        let right: u64 = (0..3).map(|class| counts[class][class]).sum();
        let layer = |(number, &rate): (usize, &f64)| LayerActivity {
            layer: format!("node{number}"),
            neurons: 8,
            firing_rate: vec![rate; 2],
        };
        Evaluation {
            samples: samples as usize,
            loss: 1.0,
            accuracy_by_steps: vec![right as f64 / samples as f64],
            confusion,
            activity: rates.iter().enumerate().map(layer).collect(),
        }
    }

    #[test]
    fn few_steps_are_told_with_a_batch_that_gives_more() {
        let said = few_steps(&config(10, 128), 256, 2).unwrap();
        assert!(
            said.contains("2 steps of the optimiser (256 samples, 128 a step) and the whole training 20"),
            "{said}"
        );
        assert!(said.contains("a `training.batch_size` of 16,"), "{said}");
        assert!(few_steps(&config(1, 4), 4, 1).unwrap().contains("an epoch is 1 step of"));
        assert_eq!(few_steps(&config(300, 128), 50_000, 390), None);
        assert_eq!(few_steps(&config(20, 16), 200, 12), None);
        assert!(few_steps(&config(150, 128), 256, 2).is_some(), "two steps an epoch");
        assert_eq!(few_steps(&config(2000, 128), 256, 2), None, "few an epoch, enough in all");
    }

    #[test]
    fn one_answer_for_all_and_chance_are_told_apart_from_learning() {
        let one = chance(&evaluation(&[[0, 10, 0], [0, 10, 0], [0, 10, 0]], &[])).unwrap();
        assert!(one.contains("taken for `bee`") && one.contains("33.3%"), "{one}");
        let guessed = chance(&evaluation(&[[4, 3, 3], [3, 4, 3], [3, 3, 4]], &[])).unwrap();
        assert!(guessed.contains("40.0%") && guessed.contains("each time (33.3%)"), "{guessed}");
        assert_eq!(chance(&evaluation(&[[9, 1, 0], [1, 8, 1], [0, 1, 9]], &[])), None);
        assert_eq!(chance(&evaluation(&[[9, 0, 0], [0; 3], [0; 3]], &[])), None, "a set of one class");
    }

    #[test]
    fn what_is_silent_in_evaluation_is_named() {
        let learned = [[9, 1, 0], [1, 8, 1], [0, 1, 9]];
        assert_eq!(silence(&evaluation(&learned, &[0.2, 0.1])), None);
        let said = silence(&evaluation(&learned, &[0.2, 0.0])).unwrap();
        assert!(said.starts_with("the neurons of `node1` hardly fire in evaluation"), "{said}");
        let said = silence(&evaluation(&learned, &[0.0; 5])).unwrap();
        assert!(said.contains("`node0`, `node1`, `node2` and 2 more hardly fire"), "{said}");
    }

    #[test]
    fn statistics_and_averages_that_never_arrived_are_told() {
        let gap =
            |variance_ratio, mean_distance| NormGap { name: "bn1".into(), variance_ratio, mean_distance };
        assert_eq!(statistics(&[gap(1.1, 0.1), gap(0.4, 0.5)], 10), None);
        for far in [gap(9.0, 0.0), gap(0.1, 0.0), gap(1.0, 2.0)] {
            assert!(statistics(&[gap(1.0, 0.0), far], 10).unwrap().contains("10 steps may be hardly enough"));
        }
        let mut config = config(10, 16);
        assert_eq!(average(&config, 3), None);
        config.training.ema_decay = Some(0.999);
        assert!(average(&config, 100).unwrap().contains("90% of the moving average"));
        assert_eq!(average(&config, 10_000), None);
    }

    #[test]
    fn signs_are_looked_for_after_the_beginning_and_told_once() {
        let config = config(20, 16);
        let due: Vec<usize> = (1..=20).filter(|&epochs| Health::is_due(&config, epochs)).collect();
        assert_eq!(due.first(), Some(&5), "a quarter, which is more than the warm-up of two");
        let long_warmup = Config {
            schedule: crate::config::ScheduleConfig { warmup_epochs: Some(19.5), ..Default::default() },
            ..config.clone()
        };
        assert!(
            !Health::is_due(&long_warmup, 19) && Health::is_due(&long_warmup, 20),
            "the last epoch always"
        );
        let mut health = Health::default();
        let moment = Moment { epochs: 5, steps: 60 };
        let silent = evaluation(&[[0, 10, 0], [0, 10, 0], [0, 10, 0]], &[0.0]);
        let said = health.look(&config, moment, &silent, &[]);
        assert!(said.len() == 2 && said[0].starts_with("after epoch 5 of 20: every test sample"), "{said:?}");
        assert!(health.look(&config, moment, &silent, &[]).is_empty());
    }
}
