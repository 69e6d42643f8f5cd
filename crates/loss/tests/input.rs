//! Valid batches, and the messages for invalid ones.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over steps, samples and classes, as the equations have them"
)]

mod common;

use anyhow::Result;
use tch::{Device, Kind, Tensor};
use tks_loss::{LossConfig, LossError, LossOutput, Progress, Target};

const PROGRESS: Progress = Progress { epoch: 1, epochs: 2 };

fn losses() -> Vec<LossConfig> {
    LossConfig::all()
}

fn hard(logits: &Tensor, labels: &Tensor) -> Vec<Result<LossOutput, LossError>> {
    losses().iter().map(|loss| loss.compute(logits, Target::Hard(labels), PROGRESS)).collect()
}

fn soft(logits: &Tensor, labels: &Tensor) -> Vec<Result<LossOutput, LossError>> {
    losses().iter().map(|loss| loss.compute(logits, Target::Soft(labels), PROGRESS)).collect()
}

/// Checks that all losses refuse the input, with these words.
fn refused(outputs: Vec<Result<LossOutput, LossError>>, words: &str) {
    for output in outputs {
        let error = output.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

fn logits(shape: [i64; 3]) -> Tensor {
    Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)).reshape(shape).sin()
}

#[test]
fn shapes_and_kinds_are_checked() {
    let labels = Tensor::from_slice(&[0i64, 1, 2]);
    refused(
        hard(&logits([2, 3, 4]).reshape([6, 4]), &labels),
        "`logits` has the shape [6, 4], but [T, B, K]",
    );
    for empty in [[0, 3, 4], [2, 0, 4], [2, 3, 0]] {
        refused(hard(&logits(empty), &labels), "at least one time step, sample and class");
    }
    refused(hard(&logits([2, 5, 4]), &labels), "`labels` has the shape [3], but [5]");
    refused(hard(&logits([2, 3, 4]).to_kind(Kind::Int64), &labels), "`logits` is of the kind Int64");
    refused(hard(&logits([2, 3, 4]), &labels.to_kind(Kind::Float)), "`labels` is of the kind Float");
    let uniform = Tensor::full([3, 4], 0.25, (Kind::Float, Device::Cpu));
    refused(soft(&logits([2, 3, 5]), &uniform), "`soft labels` has the shape [3, 4], but [3, 5]");
    refused(soft(&logits([2, 3, 4]), &uniform.to_kind(Kind::Half)), "`soft labels` is of the kind Half");
}

#[test]
fn a_label_that_is_no_class_is_named() {
    for (label, words) in
        [(4i64, "the label of sample 1 is 4, but the network has 4 classes (0 to 3)"), (-1, "is -1")]
    {
        refused(hard(&logits([2, 3, 4]), &Tensor::from_slice(&[0i64, label, 2])), words);
    }
}

#[test]
fn a_soft_label_that_is_no_distribution_is_named() {
    for (row, words) in [
        ([0.5f32, 0.5, 0.5], "the soft label of sample 1 is no distribution: its sum is 1.5"),
        ([1.5, -0.5, 0.0], "it holds -0.5"),
        ([0.0, 0.0, 0.0], "its sum is 0"),
        ([f32::NAN, 0.5, 0.5], "its sum is NaN"),
        ([f32::INFINITY, 0.0, 0.0], "its sum is inf"),
    ] {
        let rows = Tensor::from_slice(&[[0.0, 0.0, 1.0], row].concat()).reshape([2, 3]);
        refused(soft(&logits([4, 2, 3]), &rows), words);
    }
}

#[test]
fn a_logit_that_is_not_finite_is_named_with_its_step() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bad = logits([3, 3, 4]);
        let _filled = bad.get(2).get(2).get(3).fill_(value);
        let _filled = bad.get(1).get(1).get(2).fill_(value);
        let labels = Tensor::from_slice(&[0i64, 1, 2]);
        refused(
            hard(&bad, &labels),
            &format!("logits[1, 1, 2] is {value}: step, sample and class of the first of 2"),
        );
    }
}

#[test]
fn the_loss_of_half_precision_is_single() -> Result<()> {
    let labels = Tensor::from_slice(&[0i64, 1, 2]);
    for kind in [Kind::BFloat16, Kind::Half] {
        let half = logits([2, 3, 4]).to_kind(kind).set_requires_grad(true);
        let rounded = half.detach().to_kind(Kind::Float).set_requires_grad(true);
        for loss in losses() {
            let output = loss.compute(&half, Target::Hard(&labels), PROGRESS)?;
            assert_eq!(output.loss.kind(), Kind::Float);
            let expected = loss.compute(&rounded, Target::Hard(&labels), PROGRESS)?;
            assert_eq!(output.loss, expected.loss);
            output.loss.backward();
        }
        assert_eq!(half.grad().kind(), kind);
    }
    Ok(())
}

#[test]
fn neither_parts_nor_statistics_hold_the_graph() -> Result<()> {
    let x = logits([2, 3, 4]).set_requires_grad(true);
    for output in hard(&x, &Tensor::from_slice(&[0i64, 1, 2])) {
        let output = output?;
        assert!(output.loss.requires_grad());
        assert!(output.parts.iter().all(|(_, part)| !part.requires_grad() && part.dim() == 0));
        output.check()?;
    }
    Ok(())
}

#[test]
fn far_logits_give_finite_gradients() -> Result<()> {
    let labels = Tensor::from_slice(&[0i64, 1, 2]);
    for loss in common::variations().into_iter().map(LossConfig::Tks).chain(losses()) {
        let x = (logits([2, 3, 4]) * 1e4).set_requires_grad(true);
        let output = loss.compute(&x, Target::Hard(&labels), PROGRESS)?;
        output.loss.backward();
        assert!(output.loss.double_value(&[]).is_finite(), "{loss:?}");
        assert!(x.grad().isfinite().all().int64_value(&[]) == 1, "{loss:?}");
    }
    Ok(())
}
