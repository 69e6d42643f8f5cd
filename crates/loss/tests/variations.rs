//! Every variation compared with plain loops, and its gradient with central differences.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over steps, samples and classes, as the equations have them"
)]

mod common;

use anyhow::{Result, ensure};
use common::{Problem, relative_error, variations};
use tks_loss::{CeConfig, LossConfig, MseRateConfig, Progress, Schedule, TetConfig, TksConfig};

const PROGRESS: Progress = Progress { epoch: 3, epochs: 7 };

/// Several steps, one step, one class, one sample.
const SIZES: [(usize, usize, usize); 4] = [(4, 5, 4), (1, 3, 3), (2, 2, 1), (3, 1, 5)];

fn problems() -> impl Iterator<Item = Problem> {
    SIZES.into_iter().enumerate().flat_map(|(seed, (steps, samples, classes))| {
        let problem = Problem::random(seed as u64 + 1, steps, samples, classes);
        [problem.clone(), problem.mixed()]
    })
}

fn assert_equals_reference(config: LossConfig) -> Result<()> {
    config.check()?;
    for problem in problems() {
        let (output, gradient) = problem.compute(&config, PROGRESS)?;
        let expected = problem.reference(&config, PROGRESS, None);
        let shape = (problem.steps, problem.samples, problem.classes);
        let loss = output.loss.double_value(&[]);
        let off = relative_error(&[loss], &[expected.loss]);
        ensure!(off < 1e-12, "{config:?} {shape:?}: the loss is {loss}, not {}", expected.loss);
        let label_weight = match &config {
            LossConfig::Tks(tks) => Some(tks.label_weight(PROGRESS)?),
            _ => None,
        };
        ensure!(output.label_weight == label_weight, "{config:?}: {:?}", output.label_weight);
        let parts: Vec<f64> = output.parts.iter().map(|(_, part)| part.double_value(&[])).collect();
        ensure!(relative_error(&parts, &expected.parts) < 1e-12, "{config:?} {shape:?}: {parts:?}");

        let seen = output.teacher.summary()?;
        ensure!(relative_error(&seen.right_per_step, &expected.right_per_step) < 1e-12, "{config:?}");
        ensure!((seen.none_right - expected.none_right).abs() < 1e-12, "{config:?}");
        match (seen.teacher_entropy, expected.teacher_entropy) {
            (Some(actual), Some(expected)) => {
                ensure!((actual - expected).abs() < 1e-9, "{config:?}: {actual}")
            }
            (actual, expected) => {
                ensure!(actual == expected, "{config:?} {shape:?}: {actual:?}, {expected:?}")
            }
        }

        // The loss is discontinuous where the set of teaching steps changes; no logit in these problems is
        // that close to such a point.
        let numeric = problem.numeric_gradient(&config, PROGRESS);
        let scale = numeric.iter().fold(1e-3f64, |max, value| max.max(value.abs()));
        for (i, (actual, numeric)) in gradient.iter().zip(&numeric).enumerate() {
            ensure!(
                (actual - numeric).abs() < 1e-7 * scale,
                "{config:?} {shape:?}: gradient {i} is {actual}, not {numeric}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_variation_of_tks_equals_plain_loops() -> Result<()> {
    for config in variations() {
        assert_equals_reference(LossConfig::Tks(config))?;
    }
    Ok(())
}

#[test]
fn every_schedule_temperature_and_smoothing_equals_plain_loops() -> Result<()> {
    for schedule in [Schedule::Linear, Schedule::Static, Schedule::Cosine] {
        for (tau, alpha, label_smoothing) in [(0.5, 0.0, 0.0), (1.0, 1.0, 0.1), (20.0, 0.3, 0.5)] {
            let config = TksConfig { tau, alpha, schedule, label_smoothing, ..TksConfig::default() };
            assert_equals_reference(LossConfig::Tks(config))?;
        }
    }
    Ok(())
}

#[test]
fn the_baselines_equal_plain_loops() -> Result<()> {
    for label_smoothing in [0.0, 0.1] {
        assert_equals_reference(LossConfig::Ce(CeConfig { label_smoothing }))?;
        for (lambda, phi) in [(1e-3, 1.0), (0.0, 0.0), (1.0, -2.0)] {
            assert_equals_reference(LossConfig::Tet(TetConfig { lambda, phi, label_smoothing }))?;
        }
    }
    assert_equals_reference(LossConfig::MseRate(MseRateConfig {}))
}

#[test]
fn the_problems_have_samples_that_no_step_gets_right_and_others() {
    let shares: Vec<f64> =
        problems().map(|p| p.reference(&LossConfig::default(), PROGRESS, None).none_right).collect();
    assert!(shares.iter().any(|share| *share > 0.0 && *share < 1.0), "{shares:?}");
}
