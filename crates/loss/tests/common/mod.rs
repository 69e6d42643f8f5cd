//! The losses in plain loops over `f64`, written from their formulas alone.

#![allow(dead_code, reason = "each test program uses a part")]

use tks_loss::{
    Assembly, LossConfig, LossOutput, NoCorrect, Progress, Schedule, Selection, Target, TeacherGradient,
    TksConfig,
};

use tch::Tensor;

/// Logits `[T, B, K]` and a distribution `[B, K]` per sample.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub steps: usize,
    pub samples: usize,
    pub classes: usize,
    pub logits: Vec<f64>,
    pub target: Vec<f64>,
}

/// The results of the loops.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub loss: f64,
    pub parts: Vec<f64>,
    pub right_per_step: Vec<f64>,
    pub none_right: f64,
    pub teacher_entropy: Option<f64>,
}

impl Problem {
    /// Pseudo-random logits, with labels of which about half are predicted by some step.
    pub(crate) fn random(seed: u64, steps: usize, samples: usize, classes: usize) -> Self {
        let noise = |salt: u64, length| {
            tks_golden::noise(seed.wrapping_mul(977).wrapping_add(salt), length)
                .into_iter()
                .map(f64::from)
                .collect::<Vec<_>>()
        };
        let logits: Vec<f64> = noise(1, steps * samples * classes).iter().map(|x| 3.0 * x).collect();
        let mut problem = Self { steps, samples, classes, logits, target: vec![0.0; samples * classes] };
        for (b, draw) in noise(2, samples).into_iter().enumerate() {
            let label = if draw < 0.0 {
                argmax(problem.logits_at(b % steps, b))
            } else {
                ((draw * classes as f64) as usize).min(classes - 1)
            };
            problem.target[b * classes + label] = 1.0;
        }
        problem
    }

    /// The same with labels mixed from two samples each.
    pub(crate) fn mixed(mut self) -> Self {
        let hard = self.target.clone();
        for b in 0..self.samples {
            let other = (b + 1) % self.samples;
            let share = 0.55 + 0.4 * (b as f64 / self.samples as f64);
            for k in 0..self.classes {
                self.target[b * self.classes + k] =
                    share * hard[b * self.classes + k] + (1.0 - share) * hard[other * self.classes + k];
            }
        }
        self
    }

    pub(crate) fn logits_at(&self, t: usize, b: usize) -> &[f64] {
        let at = (t * self.samples + b) * self.classes;
        &self.logits[at..at + self.classes]
    }

    pub(crate) fn target_of(&self, b: usize) -> &[f64] {
        &self.target[b * self.classes..(b + 1) * self.classes]
    }

    pub(crate) fn logits_tensor(&self) -> Tensor {
        Tensor::from_slice(&self.logits).reshape([
            self.steps as i64,
            self.samples as i64,
            self.classes as i64,
        ])
    }

    pub(crate) fn target_tensor(&self) -> Tensor {
        Tensor::from_slice(&self.target).reshape([self.samples as i64, self.classes as i64])
    }

    pub(crate) fn labels(&self) -> Vec<i64> {
        (0..self.samples).map(|b| argmax(self.target_of(b)) as i64).collect()
    }

    /// The loss and gradient computed by the crate.
    pub(crate) fn compute(
        &self,
        config: &LossConfig,
        progress: Progress,
    ) -> anyhow::Result<(LossOutput, Vec<f64>)> {
        let logits = self.logits_tensor().set_requires_grad(true);
        let output = config.compute(&logits, Target::Soft(&self.target_tensor()), progress)?;
        output.loss.backward();
        let gradient = Vec::<f64>::try_from(&logits.grad().reshape([-1]))?;
        Ok((output, gradient))
    }

    /// The mean over the steps, `[B, K]`.
    fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.samples * self.classes];
        for t in 0..self.steps {
            for (i, value) in mean.iter_mut().enumerate() {
                *value += self.logits[t * self.samples * self.classes + i] / self.steps as f64;
            }
        }
        mean
    }

    fn right(&self, t: usize, b: usize) -> bool {
        argmax(self.logits_at(t, b)) == argmax(self.target_of(b))
    }

    /// The loss computed by plain loops. `teacher_logits`, if given, replace the teacher's own: a detached
    /// teacher that does not change with the logits.
    pub(crate) fn reference(
        &self,
        config: &LossConfig,
        progress: Progress,
        given: Option<&[Option<Vec<f64>>]>,
    ) -> Reference {
        let (samples, steps) = (self.samples as f64, self.steps as f64);
        let mut entropy = None;
        let (weights, parts) = match config {
            LossConfig::Ce(config) => (vec![1.0], vec![self.mean_ce(config.label_smoothing)]),
            LossConfig::Tet(config) => {
                let (mut ce, mut mse) = (0.0, 0.0);
                for t in 0..self.steps {
                    for b in 0..self.samples {
                        let target = smooth(self.target_of(b), config.label_smoothing);
                        ce += cross_entropy(&target, self.logits_at(t, b)) / samples / steps;
                    }
                }
                for x in &self.logits {
                    mse += (x - config.phi).powi(2) / self.logits.len() as f64;
                }
                (vec![1.0 - config.lambda, config.lambda], vec![ce, mse])
            }
            LossConfig::MseRate(_) => {
                let mean = self.mean();
                let squares: f64 = mean.iter().zip(&self.target).map(|(m, y)| (m - y).powi(2)).sum();
                (vec![1.0], vec![squares / mean.len() as f64])
            }
            LossConfig::Tks(config) => {
                let done = progress.epoch as f64 / progress.epochs as f64;
                let a = match config.schedule {
                    Schedule::Linear => 1.0 - config.alpha * done,
                    Schedule::Static => config.alpha,
                    Schedule::Cosine => {
                        1.0 - config.alpha + config.alpha * (1.0 + (done * std::f64::consts::PI).cos()) / 2.0
                    }
                };
                let own = self.teacher_logits(config);
                let teachers = given.unwrap_or(&own);
                let mut soft = 0.0;
                let mut entropies = Vec::new();
                for b in 0..self.samples {
                    let distribution = teachers[b]
                        .as_ref()
                        .map(|z| softmax(&z.iter().map(|z| z / config.tau).collect::<Vec<_>>()));
                    if let Some(q) = &distribution {
                        entropies.push(-q.iter().filter(|q| **q > 0.0).map(|q| q * q.ln()).sum::<f64>());
                    }
                    let target = match (distribution, config.no_correct) {
                        (Some(q), _) => q,
                        (None, NoCorrect::Uniform) => vec![1.0 / self.classes as f64; self.classes],
                        (None, NoCorrect::Label) => self.target_of(b).to_vec(),
                        (None, NoCorrect::Skip) => continue,
                    };
                    for t in 0..self.steps {
                        soft += config.tau.powi(2) * cross_entropy(&target, self.logits_at(t, b))
                            / samples
                            / steps;
                    }
                }
                if !entropies.is_empty() {
                    entropy = Some(entropies.iter().sum::<f64>() / entropies.len() as f64);
                }
                (vec![a, 1.0 - a], vec![self.mean_ce(config.label_smoothing), soft])
            }
            other => panic!("{other:?} has no reference"),
        };
        let right_per_step = (0..self.steps)
            .map(|t| (0..self.samples).filter(|b| self.right(t, *b)).count() as f64 / samples)
            .collect();
        let none_right = (0..self.samples).filter(|b| (0..self.steps).all(|t| !self.right(t, *b))).count()
            as f64
            / samples;
        Reference {
            loss: weights.iter().zip(&parts).map(|(w, p)| w * p).sum(),
            parts,
            right_per_step,
            none_right,
            teacher_entropy: entropy,
        }
    }

    fn mean_ce(&self, label_smoothing: f64) -> f64 {
        let mean = self.mean();
        (0..self.samples)
            .map(|b| {
                let logits = &mean[b * self.classes..(b + 1) * self.classes];
                cross_entropy(&smooth(self.target_of(b), label_smoothing), logits) / self.samples as f64
            })
            .sum()
    }

    /// The teacher's logits for each sample; `None` if no step teaches.
    pub(crate) fn teacher_logits(&self, config: &TksConfig) -> Vec<Option<Vec<f64>>> {
        (0..self.samples)
            .map(|b| {
                let label = argmax(self.target_of(b));
                let confidence = |t: usize| softmax(self.logits_at(t, b))[label];
                let chosen: Vec<usize> = match config.selection {
                    Selection::Correct => (0..self.steps).filter(|t| self.right(*t, b)).collect(),
                    Selection::All => (0..self.steps).collect(),
                    Selection::TopK(k) => {
                        let mut order: Vec<usize> = (0..self.steps).collect();
                        order.sort_by(|s, t| confidence(*t).total_cmp(&confidence(*s)));
                        order.truncate(k);
                        order.sort_unstable();
                        order
                    }
                };
                let last = *chosen.last()?;
                let weight = |t: usize| match config.assembly {
                    Assembly::Sum => 1.0,
                    Assembly::Mean => 1.0 / chosen.len() as f64,
                    Assembly::Confidence => {
                        confidence(t) / chosen.iter().map(|s| confidence(*s)).sum::<f64>()
                    }
                    Assembly::LastCorrect => f64::from(u8::from(t == last)),
                };
                let mut sum = vec![0.0; self.classes];
                for &t in &chosen {
                    for (sum, x) in sum.iter_mut().zip(self.logits_at(t, b)) {
                        *sum += weight(t) * x;
                    }
                }
                Some(sum)
            })
            .collect()
    }

    /// The gradient by central differences of the reference.
    pub(crate) fn numeric_gradient(&self, config: &LossConfig, progress: Progress) -> Vec<f64> {
        let given = match config {
            LossConfig::Tks(config) if config.gradient == TeacherGradient::Detached => {
                Some(self.teacher_logits(config))
            }
            _ => None,
        };
        let step = 1e-5;
        (0..self.logits.len())
            .map(|i| {
                let at = |by: f64| {
                    let mut moved = self.clone();
                    moved.logits[i] += by;
                    moved.reference(config, progress, given.as_deref()).loss
                };
                (at(step) - at(-step)) / (2.0 * step)
            })
            .collect()
    }
}

/// The index of the first of the largest values.
pub(crate) fn argmax(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

pub(crate) fn softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}

fn cross_entropy(target: &[f64], logits: &[f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = max + logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
    target.iter().zip(logits).map(|(q, x)| q * (log_sum - x)).sum()
}

fn smooth(target: &[f64], share: f64) -> Vec<f64> {
    target.iter().map(|y| (1.0 - share) * y + share / target.len() as f64).collect()
}

/// Every variation of TKS that a configuration can select.
pub(crate) fn variations() -> Vec<TksConfig> {
    let mut all = Vec::new();
    for selection in
        [Selection::Correct, Selection::All, Selection::TopK(1), Selection::TopK(2), Selection::TopK(9)]
    {
        for assembly in [Assembly::Sum, Assembly::Mean, Assembly::Confidence, Assembly::LastCorrect] {
            for no_correct in [NoCorrect::Uniform, NoCorrect::Label, NoCorrect::Skip] {
                for gradient in [TeacherGradient::Attached, TeacherGradient::Detached] {
                    all.push(TksConfig { selection, assembly, no_correct, gradient, ..TksConfig::default() });
                }
            }
        }
    }
    all
}

/// The largest difference, relative to the largest magnitude of `expected`.
pub(crate) fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |max, value| max.max(value.abs()));
    let mut worst = 0.0f64;
    for (a, e) in actual.iter().zip(expected) {
        if !a.is_finite() {
            return f64::INFINITY;
        }
        worst = worst.max((a - e).abs() / scale);
    }
    worst
}
