//! Training, evaluation and reports of spiking networks: the library behind the program `tks`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | everything that a user can choose, as one TOML file |
//! | [`presets`] | configurations by name: the reference recipes, and small ones |
//! | [`datasets`], [`data`], [`classes`] | where data sets are; from the configuration to batches of tensors; classes by name |
//! | [`trainer`] | the training itself |
//! | [`optimizer`], [`ema`] | optimisers whose state can be saved; the moving average of the weights |
//! | [`evaluation`] | accuracy after each number of steps, confusion, firing rates |
//! | [`checkpoint`], [`run_folder`] | what a training leaves on disk, and goes on from |
//! | [`run_state`], [`best`], [`basis`] | where a run is; its best network; what its numbers depend on |
//! | [`message`], [`display`], [`files`] | what a training says; the terminal and the files that hear it |
//! | [`metrics`], [`watch`], [`health`] | sums over an epoch, idle layers, signs that a training does not work |
//! | [`estimate`], [`environment`] | memory and time, the machine |
//! | [`report`], [`export`], [`predict`], [`inspect`] | what can be done with a trained network |
//! | [`data_check`], [`sheet`] | a data set walked before a training, samples drawn as a network sees them |
//! | [`cli`] | the program's command line |
//!
//! ```no_run
//! use tks_trainer::config::Config;
//! use tks_trainer::run_folder::RunFolder;
//! use tks_trainer::stop::StopFlag;
//! use tks_trainer::trainer::{Outcome, Trainer};
//!
//! let config = Config::read("mine.toml".as_ref(), &[])?;
//! let run = RunFolder::create(&config)?;
//! match Trainer::start(config, run, Vec::new())?.fit(&StopFlag::default())? {
//!     Outcome::Finished(evaluation) => println!("{:.1}%", 100.0 * evaluation.accuracy()),
//!     Outcome::Stopped => println!("stopped"),
//! }
//! # Ok::<(), anyhow::Error>(())
//! ```

pub mod basis;
pub mod best;
pub mod checkpoint;
pub mod classes;
pub mod cli;
pub mod config;
pub mod data;
pub mod data_check;
mod data_warnings;
pub mod datasets;
pub mod display;
pub mod ema;
pub mod environment;
pub mod estimate;
pub mod evaluation;
pub mod export;
pub mod files;
pub mod health;
pub mod inspect;
pub mod message;
pub mod metrics;
pub mod optimizer;
mod output;
pub mod predict;
pub mod presets;
pub mod report;
pub mod run_folder;
pub mod run_state;
pub mod sheet;
pub mod stop;
pub mod trainer;
pub mod watch;
