//! Reports of a training run for people to read: charts, a page with all of them, and TensorBoard event
//! files. Plain numbers in, files out, without libtorch.
//!
//! | module | contents |
//! |---|---|
//! | [`data`] | the data of a report, from which everything else is made |
//! | [`energy`] | synaptic operations and an estimate of their energy |
//! | [`page`] | one self-contained HTML page, and its charts as files |
//! | [`figures`] | the charts of a report |
//! | [`chart`] | the charts: lines, bars, heat maps, spike rasters, membrane potentials |
//! | [`tensorboard`] | event files for TensorBoard, appended to when training resumes |
//! | [`error`] | errors |
//!
//! ```
//! use tks_report::{EpochRecord, Report};
//!
//! let epochs = (0..20)
//!     .map(|epoch| EpochRecord {
//!         epoch,
//!         train_loss: Some(2.0 / (1.0 + epoch as f64)),
//!         test_accuracy: Some(1.0 - 0.9 / (1.0 + epoch as f64)),
//!         ..EpochRecord::default()
//!     })
//!     .collect();
//! let report = Report { title: "A training".into(), epochs, ..Report::default() };
//! let folder = tempfile::tempdir()?;
//! let page = report.page()?.write(folder.path())?;
//! assert!(std::fs::read_to_string(page)?.contains("<svg"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod chart;
pub mod data;
pub mod energy;
pub mod error;
pub mod figures;
mod html;
pub mod page;
pub mod tensorboard;

pub use data::{
    Confusion, Environment, EpochRecord, KeyFigure, LayerActivity, Report, SampleActivity, SpikeRaster,
    StepAccuracy, Trace,
};
pub use energy::{AC_JOULES, Energy, LayerInput, LayerOperations, MAC_JOULES};
pub use error::ReportError;
pub use figures::Figure;
pub use page::Page;
pub use tensorboard::EventWriter;
