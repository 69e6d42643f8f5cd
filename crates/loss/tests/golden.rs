//! Comparison with the values and gradients of the authors' script, and with TET's formula.

use anyhow::{Context, Result, ensure};
use tch::{Kind, Tensor};
use tks_golden::GoldenCase;
use tks_loss::{LossConfig, LossOutput, Progress, Schedule, Target, TetConfig, TksConfig};

const TOLERANCE: f64 = 1e-6;

/// A static weight does not depend on epochs.
const ANY_PROGRESS: Progress = Progress { epoch: 0, epochs: 1 };

fn number(case: &GoldenCase, key: &str) -> Result<f64> {
    case.number(key)?.with_context(|| format!("{}: `{key}` is missing", case.file))
}

fn tensor(case: &GoldenCase, name: &str) -> Result<Tensor> {
    let array = case.tensor(name)?;
    let shape: Vec<i64> = array.shape().iter().map(|size| *size as i64).collect();
    Ok(Tensor::from_slice(&array.iter().copied().collect::<Vec<f32>>()).reshape(shape))
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::<f32>::try_from(&tensor.reshape([-1]))?)
}

fn assert_close(case: &GoldenCase, name: &str, actual: &Tensor) -> Result<()> {
    let expected = case.tensor(name)?;
    let error = tks_golden::relative_error(&values(actual)?, expected.iter());
    ensure!(error <= TOLERANCE, "{}: {name} is off by {error:.1e}, relative", case.file);
    Ok(())
}

/// The loss and gradient for the logits and labels of a case, with hard labels and with their one-hot form.
fn run(case: &GoldenCase, config: &LossConfig) -> Result<Vec<(LossOutput, Tensor)>> {
    let labels = tensor(case, "labels")?.to_kind(Kind::Int64);
    let one_hot = labels.one_hot(tensor(case, "logits")?.size()[2]).to_kind(Kind::Float);
    let mut outputs = Vec::new();
    for target in [Target::Hard(&labels), Target::Soft(&one_hot)] {
        let logits = tensor(case, "logits")?.set_requires_grad(true);
        let output = config.compute(&logits, target, ANY_PROGRESS)?;
        output.loss.backward();
        outputs.push((output, logits.grad()));
    }
    Ok(outputs)
}

#[test]
fn golden_tks() -> Result<()> {
    let cases = tks_golden::cases_of_kind("tks")?;
    ensure!(!cases.is_empty(), "the index lists no case of TKS");
    for case in &cases {
        let config = LossConfig::Tks(TksConfig {
            tau: number(case, "temperature")?,
            alpha: number(case, "current_alpha")?,
            schedule: Schedule::Static,
            ..TksConfig::default()
        });
        for (output, gradient) in run(case, &config)? {
            assert_close(case, "loss", &output.loss)?;
            assert_close(case, "loss_ce", &output.parts[0].1)?;
            assert_close(case, "loss_soft", &output.parts[1].1)?;
            assert_close(case, "grad_logits", &gradient)?;
            let mask = tensor(case, "mask")?;
            let seen = output.teacher.summary()?;
            for (t, right) in seen.right_per_step.iter().enumerate() {
                let expected = mask.select(0, t as i64).mean(Kind::Double).double_value(&[]);
                ensure!((right - expected).abs() < 1e-12, "{}: step {t}", case.file);
            }
        }
    }
    Ok(())
}

#[test]
fn golden_tet() -> Result<()> {
    let cases = tks_golden::cases_of_kind("tet")?;
    ensure!(!cases.is_empty(), "the index lists no case of TET");
    for case in &cases {
        let config = LossConfig::Tet(TetConfig {
            lambda: number(case, "lambda")?,
            phi: number(case, "means")?,
            label_smoothing: 0.0,
        });
        for (output, gradient) in run(case, &config)? {
            assert_close(case, "loss", &output.loss)?;
            assert_close(case, "grad_logits", &gradient)?;
        }
    }
    Ok(())
}
