//! The optimiser and the learning rate schedule.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::check::{require, wrong};

/// The optimisation algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OptimizerName {
    /// Adam with decoupled weight decay, using libtorch's fused kernel. Loshchilov and Hutter, ICLR 2019.
    #[default]
    Adamw,
    /// Stochastic gradient descent with momentum, using libtorch's fused kernel; weight decay is added to the
    /// gradient.
    Sgd,
    /// Adam with steps scaled per layer, for large batches. You et al., ICLR 2020.
    Lamb,
    /// The sign of a momentum. Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023.
    Lion,
}

/// The optimiser. The default is that of the reference recipe: AdamW with a learning rate of 5e-3 for a batch
/// of 1024.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The optimisation algorithm.
    pub name: OptimizerName,
    /// Learning rate, above 0, for a batch of `lr_batch`.
    pub lr: f64,
    /// Batch size for which `lr` is given; the learning rate is scaled linearly to the actual batch size
    /// (including accumulation). 0: `lr` is used unchanged.
    pub lr_batch: usize,
    /// Weight decay, 0 or above.
    pub weight_decay: f64,
    /// Whether weight decay also applies to biases and batch norms; usually it does not.
    pub decay_norm_and_bias: bool,
    /// Decay rates of the first and second moments, 0 to below 1 (Adam, LAMB, Lion; usual values for Lion are
    /// 0.9 and 0.99).
    pub betas: [f64; 2],
    /// Constant added to the square root of the second moment (Adam, LAMB), above 0.
    pub eps: f64,
    /// SGD's momentum, 0 to below 1.
    pub momentum: f64,
    /// Whether SGD uses Nesterov momentum.
    pub nesterov: bool,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig {
            name: OptimizerName::Adamw,
            lr: 5e-3,
            lr_batch: 1024,
            weight_decay: 0.01,
            decay_norm_and_bias: false,
            betas: [0.9, 0.999],
            eps: 1e-8,
            momentum: 0.9,
            nesterov: false,
        }
    }
}

impl OptimizerConfig {
    /// The learning rate for batches of `batch` samples, including accumulation.
    pub fn scaled_lr(&self, batch: usize) -> f64 {
        match self.lr_batch {
            0 => self.lr,
            reference => self.lr * batch as f64 / reference as f64,
        }
    }

    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        let positive = |value: f64| value > 0.0 && value.is_finite();
        require(positive(self.lr), "optimizer.lr", self.lr, "above 0, and finite")?;
        let decay = self.weight_decay;
        require(
            decay >= 0.0 && decay.is_finite(),
            "optimizer.weight_decay",
            decay,
            "0 or above, and finite",
        )?;
        let betas = format!("{:?}", self.betas);
        require(self.betas.into_iter().all(share), "optimizer.betas", betas, "two numbers, 0 to below 1")?;
        require(positive(self.eps), "optimizer.eps", self.eps, "above 0, and finite")?;
        require(share(self.momentum), "optimizer.momentum", self.momentum, "0 to below 1")?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(wrong("optimizer.nesterov", "needs a momentum: set `optimizer.momentum` above 0"));
        }
        Ok(())
    }
}

/// The shape of the learning rate schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScheduleName {
    /// Half a cosine down to `min_lr`. Loshchilov and Hutter, ICLR 2017.
    #[default]
    Cosine,
    /// Multiplied by `step_factor` every `step_epochs`.
    Step,
    /// Up to the peak over the first 30% (from `warmup_lr`), then down to `min_lr`, both as half cosines.
    /// Smith and Topin, 2019. If `warmup_epochs` is given and above 0, it is the length of the rise.
    OneCycle,
    /// Constant after the warm-up.
    Constant,
}

/// When the learning rate is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SchedulePace {
    /// Once per epoch, as in the reference recipe; for many epochs.
    Epoch,
    /// With every batch.
    #[default]
    Batch,
}

/// The learning rate schedule. The default is a cosine to 1e-5 after a warm-up from 1e-6. The reference
/// recipe has 5 epochs of warm-up and updates once per epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The shape of the schedule.
    pub name: ScheduleName,
    /// When the learning rate is updated.
    pub pace: SchedulePace,
    /// Number of epochs over which the learning rate rises from `warmup_lr`, 0 or above. Left out: a tenth of
    /// the training, at most 5 epochs; for `one_cycle`, 30% of the training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_epochs: Option<f64>,
    /// Learning rate at the start of the warm-up, 0 or above.
    pub warmup_lr: f64,
    /// Learning rate at the end of the schedule, 0 or above.
    pub min_lr: f64,
    /// For `step`: number of epochs between steps, above 0.
    pub step_epochs: f64,
    /// For `step`: factor applied at each step, above 0.
    pub step_factor: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig {
            name: ScheduleName::Cosine,
            pace: SchedulePace::Batch,
            warmup_epochs: None,
            warmup_lr: 1e-6,
            min_lr: 1e-5,
            step_epochs: 30.0,
            step_factor: 0.1,
        }
    }
}

/// Default share of a one-cycle schedule that rises.
const ONE_CYCLE_UP: f64 = 0.3;

/// Default share of the other schedules that is warm-up, and the maximum number of warm-up epochs.
const WARMUP_SHARE: f64 = 0.1;
const MOST_WARMUP_EPOCHS: f64 = 5.0;

impl ScheduleConfig {
    /// The learning rate at a point of the training: `time` is in epochs (with fractions) out of `epochs`;
    /// `peak` is the optimiser's learning rate.
    ///
    /// ```
    /// use tks_trainer::config::ScheduleConfig;
    ///
    /// let schedule = ScheduleConfig::default();
    /// assert_eq!(schedule.warmup(100), 5.0);
    /// assert_eq!(schedule.lr(0.0, 100, 1e-3), 1e-6);
    /// assert_eq!(schedule.lr(50.0, 100, 1e-3), (1e-3 + 1e-5) / 2.0);
    /// assert_eq!(schedule.warmup(10), 1.0); // of a short training a tenth
    /// ```
    pub fn lr(&self, time: f64, epochs: usize, peak: f64) -> f64 {
        let time = match self.pace {
            SchedulePace::Epoch => time.floor(),
            SchedulePace::Batch => time,
        };
        let end = epochs as f64;
        let down = |share: f64| {
            let cosine = (share.clamp(0.0, 1.0) * std::f64::consts::PI).cos();
            self.min_lr + (peak - self.min_lr) * (1.0 + cosine) / 2.0
        };
        if self.name == ScheduleName::OneCycle {
            let up = self.warmup(epochs);
            if time < up {
                let cosine = (time / up * std::f64::consts::PI).cos();
                return self.warmup_lr + (peak - self.warmup_lr) * (1.0 - cosine) / 2.0;
            }
            return down((time - up) / (end - up).max(f64::MIN_POSITIVE));
        }
        let warmup = self.warmup(epochs);
        if time < warmup {
            return self.warmup_lr + (peak - self.warmup_lr) * time / warmup;
        }
        match self.name {
            ScheduleName::Cosine => down(time / end),
            ScheduleName::Step => peak * self.step_factor.powf((time / self.step_epochs).floor()),
            ScheduleName::Constant | ScheduleName::OneCycle => peak,
        }
    }

    /// Number of epochs in which the learning rate rises, out of `epochs`.
    pub fn warmup(&self, epochs: usize) -> f64 {
        let epochs = epochs as f64;
        match (self.name, self.warmup_epochs) {
            (ScheduleName::OneCycle, None | Some(0.0)) => ONE_CYCLE_UP * epochs,
            (_, Some(warmup)) => warmup,
            (_, None) => (WARMUP_SHARE * epochs).min(MOST_WARMUP_EPOCHS),
        }
    }

    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// Names the first value that is not.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [
            ("schedule.warmup_epochs", self.warmup_epochs.unwrap_or(0.0)),
            ("schedule.warmup_lr", self.warmup_lr),
            ("schedule.min_lr", self.min_lr),
        ] {
            require(value >= 0.0 && value.is_finite(), key, value, "0 or above, and finite")?;
        }
        for (key, value) in
            [("schedule.step_epochs", self.step_epochs), ("schedule.step_factor", self.step_factor)]
        {
            require(value > 0.0 && value.is_finite(), key, value, "above 0, and finite")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_has_a_linear_warm_up_and_ends_near_its_least() {
        let schedule = ScheduleConfig::default();
        assert_eq!(schedule.lr(0.0, 100, 1e-3), 1e-6);
        assert!((schedule.lr(2.5, 100, 1e-3) - (1e-6 + (1e-3 - 1e-6) / 2.0)).abs() < 1e-12);
        assert!((schedule.lr(100.0, 100, 1e-3) - 1e-5).abs() < 1e-12);
        let rates: Vec<f64> = (5..=100).map(|epoch| schedule.lr(f64::from(epoch), 100, 1e-3)).collect();
        assert!(rates.windows(2).all(|pair| pair[1] < pair[0]), "falls all the time");
    }

    #[test]
    fn a_short_training_is_not_all_warm_up() {
        let schedule = ScheduleConfig::default();
        for (epochs, warmup) in [(1, 0.1), (10, 1.0), (50, 5.0), (300, 5.0)] {
            assert_eq!(schedule.warmup(epochs), warmup, "{epochs} epochs");
        }
        let explicit = ScheduleConfig { warmup_epochs: Some(3.0), ..schedule.clone() };
        assert_eq!(explicit.warmup(10), 3.0);
        let one_cycle = ScheduleConfig { name: ScheduleName::OneCycle, ..schedule };
        assert_eq!(one_cycle.warmup(10), 3.0);
    }

    #[test]
    fn an_epochs_pace_keeps_the_rate_for_an_epoch() {
        let schedule = ScheduleConfig { pace: SchedulePace::Epoch, ..ScheduleConfig::default() };
        assert_eq!(schedule.lr(0.9, 100, 1e-3), 1e-6);
        assert_eq!(schedule.lr(1.5, 100, 1e-3), schedule.lr(1.0, 100, 1e-3));
    }

    #[test]
    fn steps_fall_by_their_factor() {
        let schedule = ScheduleConfig {
            name: ScheduleName::Step,
            warmup_epochs: Some(0.0),
            step_epochs: 10.0,
            step_factor: 0.5,
            ..ScheduleConfig::default()
        };
        assert_eq!([9.0, 10.0, 25.0].map(|time| schedule.lr(time, 30, 0.8)), [0.8, 0.4, 0.2]);
    }

    #[test]
    fn one_cycle_goes_up_and_down() {
        let schedule = ScheduleConfig {
            name: ScheduleName::OneCycle,
            pace: SchedulePace::Batch,
            warmup_epochs: Some(0.0),
            warmup_lr: 0.01,
            min_lr: 0.001,
            ..ScheduleConfig::default()
        };
        let at = |time| schedule.lr(time, 10, 0.1);
        assert!(
            (at(0.0) - 0.01).abs() < 1e-12
                && (at(3.0) - 0.1).abs() < 1e-12
                && (at(10.0) - 0.001).abs() < 1e-12
        );
        assert!(at(1.0) < at(2.0) && at(5.0) > at(6.0));
    }

    #[test]
    fn the_learning_rate_follows_the_batch() {
        let config = OptimizerConfig { lr: 5e-3, lr_batch: 1024, ..OptimizerConfig::default() };
        assert_eq!(config.scaled_lr(128), 5e-3 / 8.0);
        assert_eq!(OptimizerConfig { lr_batch: 0, ..config }.scaled_lr(128), 5e-3);
    }
}
