//! Training, evaluation and reports of spiking networks: the library behind the program `tks`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`], [`presets`] | everything that a user can choose, as one TOML file; configurations by name |
//! | [`datasets`], [`data`] | where data sets are; from the configuration to batches of tensors; data sets of one's own |
//! | [`trainer`] | the training itself |
//! | [`evaluation`] | accuracy after each number of steps, confusion, firing rates |
//! | [`checkpoint`], [`run_folder`], [`run_state`] | what a training leaves on disk, and goes on from |
//! | [`message`], [`display`], [`files`] | what a training says; the terminal and the files that hear it |
//! | [`report`], [`export`], [`predict`] | what can be done with a trained network |
//! | [`stop`] | asking a training to end |
//! | [`cli`] | the program's command line, [`cli::Cli`], to which a program of one's own adds |
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

mod basis;
mod best;
pub mod checkpoint;
mod classes;
pub mod cli;
pub mod config;
pub mod data;
mod data_check;
mod data_warnings;
pub mod datasets;
pub mod display;
mod ema;
mod environment;
mod estimate;
pub mod evaluation;
pub mod export;
pub mod files;
mod health;
mod inspect;
pub mod message;
mod metrics;
mod optimizer;
mod output;
pub mod predict;
pub mod presets;
pub mod report;
pub mod run_folder;
pub mod run_state;
mod sheet;
pub mod stop;
pub mod trainer;
mod watch;
