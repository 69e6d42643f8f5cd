//! The neuromorphic data sets, as downloaded or unpacked: listing, splits, and frames for the loader.
//!
//! Each is described by its manifest, `datasets/<name>.toml`. In SHD, SSC and N-TIDIGITS18 (HDF5, the feature
//! `hdf5`), a spike is an event at `x` = channel, `y` = 0, `p` = 1. Your own recordings in folders of classes
//! are opened with [`EventSet::open_folder`]. SpikingJelly's `events_np` can be read instead of the
//! publishers' files and are converted to the requested orientation.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use tks_data::{Catalogue, Loader, LoaderConfig};
//! use tks_events::datasets::{EventFrames, EventSet, SetOptions};
//! use tks_events::recipe::Recipe;
//!
//! let manifest = Catalogue::BuiltIn.manifest("dvs-cifar10")?;
//! let set = Arc::new(EventSet::open(manifest, Path::new("/data/dvs-cifar10"), SetOptions::default())?);
//! let train = set.parts(Some("first-90"), &Catalogue::BuiltIn)?["train"].clone();
//! let frames = EventFrames::<f32>::new(set, train, Recipe::reference(), true)?;
//! for batch in Loader::new(Arc::new(frames), LoaderConfig::default())?.epoch(0)? {
//!     println!("{:?}", batch?.inputs().shape()); // [10, 32, 2, 48, 48]
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod folder;
mod frames;
mod gesture;
mod layout;
mod orientation;
mod passed_over;
mod reader;
mod sample;
mod set;
#[cfg(feature = "hdf5")]
mod spikes;

pub use folder::FolderOptions;
pub use frames::EventFrames;
pub use layout::Layout;
pub use orientation::Orientation;
pub use reader::RecordingReader;
pub use set::{EventSet, ReadScratch, SetLeftOut, SetOptions};
