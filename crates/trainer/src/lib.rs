//! Training, evaluation and reports of spiking networks: the library behind the program `tks`.
//!
//! | module | contents |
//! |---|---|
//! | [`config`], [`presets`] | every user option, in one TOML file; configurations by name |
//! | [`datasets`], [`data`] | locations of data sets; from the configuration to batches of tensors; your own data sets |
//! | [`trainer`] | the training itself |
//! | [`evaluation`] | accuracy after each number of steps, confusion, firing rates |
//! | [`checkpoint`], [`run_folder`], [`run_state`] | the files of a training, from which it can be resumed |
//! | [`message`], [`display`], [`files`] | the messages of a training; their output on the terminal and in files |
//! | [`report`], [`export`], [`predict`] | uses of a trained network |
//! | [`stop`] | requests to stop a training |
//! | [`cli`] | the program's command line, [`cli::Cli`], which your own program can extend |
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
