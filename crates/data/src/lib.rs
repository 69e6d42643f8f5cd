//! Functions needed by every data set, static or event-based, without libtorch.
//!
//! | module | contents |
//! |---|---|
//! | [`manifest`] | the description of a data set, as a TOML file |
//! | [`catalogue`] | the manifests and stored splits that are built in, or those in a folder |
//! | [`mod@fetch`] | downloads from the publisher or a mirror: resumable, checked, complete or absent |
//! | [`archive`] | files as downloaded or unpacked: folder, zip, tar or compressed tar, behind one type |
//! | [`split`] | which samples are for training and testing: lists of names, and the rules that make them |
//! | [`cache`] | decoded samples on disk, in one file |
//! | [`dataset`] | samples by index, written straight into their place in the batch |
//! | [`sampler`] | which samples an epoch has, in which order, and which belong to this rank |
//! | [`loader`], [`batch`] | batches prepared by worker threads, the same for any number of them |
//! | [`rng`] | one generator per sample and epoch |
//! | [`mixing`] | the random draws of MixUp and CutMix |
//! | [`toml_file`], [`nearest`] | TOML with errors that name the line and suggest the intended name |
//! | [`parse`] | MATLAB v5 files, and shared code for binary readers |
//! | [`bytes`], [`error`] | shared bytes of a file; errors with place and remedy |
//!
//! ```
//! use std::sync::Arc;
//! use tks_data::{BoxError, Dataset, Loader, LoaderConfig, SampleContext, SampleShape, SampleSlot};
//!
//! /// A hundred samples of 4 time steps; each holds its index everywhere.
//! struct Numbers;
//!
//! impl Dataset for Numbers {
//!     type Element = f32;
//!     fn len(&self) -> usize {
//!         100
//!     }
//!     fn shape(&self) -> SampleShape {
//!         SampleShape::frames(4, 2, 8, 8)
//!     }
//!     fn classes(&self) -> usize {
//!         10
//!     }
//!     fn label(&self, index: usize) -> usize {
//!         index % 10
//!     }
//!     fn load(
//!         &self,
//!         index: usize,
//!         _: &mut SampleContext,
//!         mut slot: SampleSlot<'_, f32>,
//!     ) -> Result<(), BoxError> {
//!         slot.fill(index as f32);
//!         Ok(())
//!     }
//! }
//!
//! let config = LoaderConfig { batch_size: 16, workers: 2, seed: 7, ..LoaderConfig::default() };
//! let loader = Loader::new(Arc::new(Numbers), config)?;
//! for batch in loader.epoch(0)? {
//!     let batch = batch?;
//!     assert_eq!(batch.inputs().shape(), [4, 16, 2, 8, 8]); // [T, B, C, H, W]
//!     assert_eq!(batch.inputs()[[0, 3, 0, 0, 0]] as usize, batch.samples()[3]);
//! }
//! # Ok::<(), tks_data::DataError>(())
//! ```

pub mod archive;
pub mod array_dataset;
pub mod batch;
pub mod bytes;
pub mod cache;
pub mod catalogue;
pub mod dataset;
pub mod error;
pub mod fetch;
pub mod loader;
pub mod manifest;
pub mod mixing;
pub mod nearest;
pub mod parse;
pub mod regular_file;
pub mod rng;
pub mod sample_set;
pub mod sampler;
pub mod split;
pub mod toml_file;
pub mod whole_file;

pub use archive::{Archive, ArchiveOptions};
pub use array_dataset::ArrayDataset;
pub use batch::Batch;
pub use bytes::{ByteSource, Bytes};
pub use cache::{CacheKey, SampleCache};
pub use catalogue::Catalogue;
pub use dataset::{Dataset, Element, SampleContext, SampleShape, SampleSlot, Subset};
pub use error::{BoxError, DataError};
pub use fetch::{FetchOptions, fetch};
pub use loader::{Epoch, Loader, LoaderConfig};
pub use manifest::Manifest;
pub use rng::{SampleRng, sample_rng};
pub use sample_set::{PassedFiles, SampleSet, Tally};
pub use sampler::{LastBatch, Sampler, Shard};
pub use split::StoredSplit;
