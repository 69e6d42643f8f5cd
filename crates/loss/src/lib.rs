//! Temporal Knowledge Sharing (TKS) and the losses it is compared with, over the logits of every time step.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the loss by its name, [`LossConfig`], to which a program can add its own |
//! | [`losses`] | the losses, each with its settings and its equation: [`Loss`] |
//! | [`compute`] | from logits and labels to a loss: [`LossConfig::compute`] |
//! | [`input`], [`terms`] | what a loss gets, and what it is made of |
//! | [`statistics`] | how many steps were right, how sure the teacher was, collected without waiting for a GPU |
//! | [`error`] | what can go wrong |
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
