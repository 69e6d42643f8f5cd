//! What every data set needs, static or event-based, with no libtorch.
//!
//! | module | what it holds |
//! |---|---|
//! | [`manifest`] | what is known of a data set, as a TOML file |
//! | [`catalogue`] | the manifests and stored splits that are built in, or those of a folder |
//! | [`mod@fetch`] | its files from the publisher or a mirror: resumed, checked, whole or not there |
//! | [`archive`] | its files as downloaded or unpacked: folder, zip, tar, compressed tar, behind one type |
//! | [`split`] | which samples are for training: lists of names, and the rules that make them |
//! | [`cache`] | decoded samples on disk, in one file |
//! | [`dataset`] | samples by index, written straight into their place in the batch |
//! | [`sampler`] | which samples an epoch has, in which order, and which are this rank's |
//! | [`loader`], [`batch`] | batches made ahead by worker threads, the same whatever their number |
//! | [`rng`] | one generator per sample and epoch |
//! | [`mixing`] | what MixUp and CutMix draw |
//! | [`toml_file`], [`nearest`] | TOML whose errors name the line and the name that was meant |
//! | [`parse`] | MATLAB v5 files, and what readers of bytes share |
//! | [`bytes`], [`error`] | shared bytes of a file; what can go wrong, where, and what to do |
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
pub mod sampler;
pub mod split;
pub mod toml_file;
pub mod whole_file;

pub use archive::{Archive, ArchiveOptions};
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
pub use sampler::{LastBatch, Sampler, Shard};
pub use split::StoredSplit;
