//! Spiking networks, built from a serialisable description.
//!
//! - [`config`]: the description of a network: [`NetworkConfig`], with an [`Architecture`] by name.
//! - [`sequential`]: the layers of `architecture = "sequential"`, [`LayerConfig`].
//! - [`Builder`], [`layers`]: building of networks, from built-in layers and your own.
//! - [`execution`]: execution options: [`Execution`].
//! - [`network`], [`model`]: [`Network`], and [`SpikingModel`], the interface that a trainer needs.
//! - [`Observer`]: observation of a network while it runs.
//! - [`record`]: firing rates, traces, synaptic activity, and the location of non-finite numbers.
//! - [`description`]: the layers, described so that another program can rebuild the network.
//! - [`summary`]: layers with their shapes, parameters and operations.
//! - [`weights`]: weights from safetensors files, including the peers'.
//! - [`error`]: what can go wrong.
//!
//! ```
//! use tch::{Device, Kind, Tensor, nn};
//! use tks_models::{Architecture, Execution, FiringRates, Input, InputShape, Network, NetworkConfig, SpikingModel};
//!
//! let config = NetworkConfig { architecture: Architecture::Small, width: 8, ..NetworkConfig::default() };
//! let store = nn::VarStore::new(Device::Cpu);
//! let network = Network::new(&store.root(), &config, InputShape::new(1, 28, 28))?;
//! assert_eq!(network.summary().parameters(), 8834);
//!
//! let images = Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)); // [B, C, H, W]
//! let mut rates = FiringRates::default();
//! let logits = network.forward_observed(Input::Static(&images, 6), true, &Execution::default(), &mut rates)?;
//! assert_eq!(logits.size(), [6, 4, 10]); // [T, B, K]
//! let labels = Tensor::from_slice(&[0i64, 1, 2, 3]);
//! logits.mean_dim(0, false, Kind::Float).cross_entropy_for_logits(&labels).backward();
//! for layer in rates.layers() {
//!     println!("{}: {:.3}", layer.name, layer.mean());
//! }
//! # Ok::<(), tks_models::ModelError>(())
//! ```

mod architecture;
mod architectures;
mod builder;
mod checkpoint;
pub mod config;
mod context;
pub mod description;
pub mod error;
pub mod execution;
pub mod layers;
pub mod model;
pub mod network;
mod observer;
pub mod record;
pub mod sequential;
mod signal;
pub mod summary;
pub mod weights;

pub use architecture::{Architecture, OwnArchitecture};
pub use architectures::{ArchitecturePlan, InputKind, MsResnetConfig, SpikformerConfig};
pub use builder::{Branch, Builder, ConvPlan, WeightInit};
pub use config::{Connect, InputShape, NetworkConfig};
pub use context::{ForwardContext, merge_steps, split_steps};
pub use description::{JoinDescription, LayerDescription};
pub use error::{Mismatch, ModelError};
pub use execution::{Execution, Mode};
pub use layers::{Layer, StaticPart};
pub use model::SpikingModel;
pub use network::{Input, Network};
pub use observer::{Charge, Observer};
pub use record::{FiringRates, LayerRates, LayerTrace, NonFinite, NormGap, SynapticActivity};
pub use sequential::{
    AvgPoolConfig, ConvConfig, DropoutConfig, LayerConfig, LayerPlan, LinearConfig, MaxPoolConfig, OwnLayer,
    SewBlockConfig,
};
pub use signal::{Shape, Signal};
pub use summary::{LayerKind, LayerSummary, Summary};
pub use tks_registry::Chosen;

/// The examples of the book's page are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/models.md")]
struct BookPage;
