//! A trained network as files that others can use: weights as safetensors, and a description from which the network
//! can be rebuilt.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, nn};
use tks_models::{Network, NetworkConfig};

use crate::checkpoint::{Checkpoint, read_tensors, write_tensors};
use crate::config::{Config, EventConfig, ImageConfig};
use crate::data::{Task, event_config};

/// The file with the weights, by the names of the network's state dictionary.
pub const WEIGHTS: &str = "weights.safetensors";

/// The file with the description.
pub const DESCRIPTION: &str = "network.json";

/// Raised when the description's meaning changes.
const FORMAT: u32 = 1;

/// What an exported network is, and how its input is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The description's own version.
    pub format: u32,
    /// The network.
    pub network: NetworkConfig,
    /// What it does: classes, input, time steps.
    pub task: Task,
    /// How a recording becomes its input, if recordings do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<EventConfig>,
    /// How a picture becomes its input, if pictures do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageConfig>,
}

/// Writes the network of a checkpoint, the moving average of its weights where there is one.
///
/// # Errors
/// A disk that is full or refuses.
pub fn write(folder: &Path, config: &Config, task: &Task, checkpoint: &Checkpoint) -> Result<()> {
    let prefix = if checkpoint.of("ema").next().is_some() { "ema" } else { "network" };
    let mut tensors: Vec<(String, Tensor)> =
        checkpoint.of(prefix).map(|(name, tensor)| (name.to_string(), tensor.shallow_clone())).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let description = Description {
        format: FORMAT,
        network: NetworkConfig { classes: task.classes.len(), ..config.network.clone() },
        task: task.clone(),
        events: if task.is_static { None } else { Some(event_config(config)?.0) },
        images: if task.is_static { Some(config.data.images.clone().unwrap_or_default()) } else { None },
    };
    write_tensors(&folder.join(WEIGHTS), &tensors, HashMap::new())?;
    let text = serde_json::to_vec_pretty(&description)?;
    Ok(tks_data::whole_file::write(&folder.join(DESCRIPTION), &text)?)
}

/// Rebuilds an exported network.
///
/// # Errors
/// Files that are missing or damaged, weights of another network.
pub fn read(folder: &Path, device: Device) -> Result<(Network, Description)> {
    let path = folder.join(DESCRIPTION);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let description: Description = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no description of a network", path.display()))?;
    ensure!(
        description.format == FORMAT,
        "{} has the format {}, this program reads {FORMAT}",
        path.display(),
        description.format
    );
    let store = nn::VarStore::new(device);
    let network = Network::new(&store.root(), &description.network, description.task.input)?;
    let path = folder.join(WEIGHTS);
    let (weights, _) = read_tensors(&path)?;
    for (name, tensor) in network.named_tensors() {
        let saved = weights.get(name).with_context(|| format!("{} has no `{name}`", path.display()))?;
        ensure!(
            saved.size() == tensor.size(),
            "{}: `{name}` has the shape {:?}, the network {:?}",
            path.display(),
            saved.size(),
            tensor.size()
        );
        tch::no_grad(|| tensor.shallow_clone().f_copy_(saved))?;
    }
    Ok((network, description))
}
