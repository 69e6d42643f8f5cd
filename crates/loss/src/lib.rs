//! Temporal Knowledge Sharing (TKS) and the losses with which it is compared, on the logits of all time
//! steps.
//!
//! | module | contents |
//! |---|---|
//! | [`config`] | the choice of a loss by name, [`LossConfig`], to which a program can add its own |
//! | [`losses`] | the losses, each with its settings and equation: [`Loss`] |
//! | [`compute`] | computation of a loss from logits and labels: [`LossConfig::compute`] |
//! | [`input`], [`terms`] | the input of a loss, and its terms |
//! | [`statistics`] | how many steps were correct and how confident the teacher was, collected without waiting for a GPU |
//! | [`error`] | errors |
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//! use tks_loss::{LossConfig, Progress, Target};
//!
//! let logits = Tensor::randn([4, 16, 10], (Kind::Float, Device::Cpu)).set_requires_grad(true); // [T, B, K]
//! let labels = Tensor::randint(10, [16], (Kind::Int64, Device::Cpu));
//!
//! let loss: LossConfig = "tks".parse()?;
//! let output = loss.compute(&logits, Target::Hard(&labels), Progress { epoch: 3, epochs: 10 })?;
//! output.loss.backward();
//! assert_eq!(logits.grad().size(), [4, 16, 10]);
//! assert_eq!(output.label_weight, Some(1.0 - 0.7 * 0.3));
//!
//! let seen = output.teacher.summary()?;
//! println!("{:.0}% of the steps are right; they teach at {:?} nats", 100.0 * seen.right_steps, seen.teacher_entropy);
//! # Ok::<(), tks_loss::LossError>(())
//! ```

pub mod compute;
pub mod config;
pub mod error;
pub mod input;
pub mod losses;
pub mod statistics;
pub mod terms;

pub use compute::LossOutput;
pub use config::{LossConfig, OwnLoss, Progress};
pub use error::LossError;
pub use input::{LossInput, Target};
pub use losses::{
    Assembly, CeConfig, Loss, MseRateConfig, NoCorrect, Schedule, Selection, Teacher, TeacherGradient,
    TetConfig, TksConfig,
};
pub use statistics::{TeacherStatistics, TeacherSummary};
pub use terms::{LossTerms, cross_entropy, smoothed};
