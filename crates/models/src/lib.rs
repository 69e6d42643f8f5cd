//! Spiking networks, built from a serialisable description.
//!
//! - [`config`]: what network: [`NetworkConfig`], its architectures and layers.
//! - [`execution`]: how it runs: [`Execution`].
//! - [`network`]: [`Network`], built and run.
//! - [`record`]: firing rates, traces, synaptic activity, and where numbers stop being finite.
//! - [`description`]: layers as another program needs them to rebuild the network.
//! - [`summary`]: layers with their shapes, parameters and operations.
//! - [`weights`]: weights from safetensors files, the peers' among them.
//! - [`error`]: what can go wrong.
//!
//! ```
//! use tch::{Device, Kind, Tensor, nn};
//! use tks_models::{Architecture, Execution, Input, InputShape, Network, NetworkConfig};
//!
//! let config = NetworkConfig { architecture: Architecture::Small, width: 8, ..NetworkConfig::default() };
//! let store = nn::VarStore::new(Device::Cpu);
//! let network = Network::new(&store.root(), &config, InputShape::new(1, 28, 28))?;
//! assert_eq!(network.summary().parameters(), 8834);
//!
//! let pictures = Tensor::rand([4, 1, 28, 28], (Kind::Float, Device::Cpu)); // [B, C, H, W]
//! network.start_recording();
//! let logits = network.forward(Input::Static(&pictures, 6), true, &Execution::default())?;
//! assert_eq!(logits.size(), [6, 4, 10]); // [T, B, K]
//! let labels = Tensor::from_slice(&[0i64, 1, 2, 3]);
//! logits.mean_dim(0, false, Kind::Float).cross_entropy_for_logits(&labels).backward();
//! for layer in network.take_firing_rates() {
//!     println!("{}: {:.3}", layer.name, layer.mean());
//! }
//! # Ok::<(), tks_models::ModelError>(())
//! ```

mod architectures;
mod builder;
mod checkpoint;
pub mod config;
pub mod description;
pub mod error;
pub mod execution;
mod layer;
pub mod network;
mod pass;
pub mod record;
pub mod summary;
mod unit;
pub mod weights;

pub use config::{
    Architecture, Connect, ConvConfig, DropoutConfig, InputShape, LayerConfig, LinearConfig, NetworkConfig,
    PoolConfig, SewBlockConfig,
};
pub use description::{JoinDescription, LayerDescription};
pub use error::{Mismatch, ModelError};
pub use execution::{Execution, Mode};
pub use network::{Input, Network};
pub use record::{LayerRates, LayerTrace, NonFinite, NormGap, SynapticActivity};
pub use summary::{LayerKind, LayerSummary, Summary};
