//! Export of a trained network for other programs: weights as safetensors, and a description from which the
//! network can be rebuilt.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, nn};
use tks_events::SensorSize;
use tks_events::datasets::Orientation;
use tks_models::{LayerDescription, NetworkConfig, SpikingModel};

use crate::checkpoint::{Checkpoint, read_tensors, write_tensors};
use crate::config::Config;
use crate::data::{Task, describe_input};
use crate::trainer::{build_network, load_weights};

/// The file with the weights, under the names of the network's state dictionary.
pub const WEIGHTS: &str = "weights.safetensors";

/// The file with the description.
pub const DESCRIPTION: &str = "network.json";

/// Increased when the meaning of the description changes. 2: numbers instead of references to data sets, and
/// layers.
const FORMAT: u32 = 2;

/// The description of an exported network and its input, sufficient to rebuild both without this program and
/// without the data set's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The version of the description's format.
    pub format: u32,
    /// The network's configuration in this program.
    pub network: NetworkConfig,
    /// Its classes, input and time steps.
    pub task: Task,
    /// How a recording becomes its input, for networks of recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<EventInput>,
    /// How an image becomes its input, for networks of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageInput>,
    /// Its layers in the order in which they run: shapes, tensors by name, and neurons with their learned
    /// parameters.
    pub layers: Vec<LayerDescription>,
}

/// How a recording becomes `[T, C, H, W]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventInput {
    /// Size of the sensor in pixels.
    pub sensor: SensorSize,
    /// Orientation in which the recordings are provided.
    pub orientation: Orientation,
    /// Filters, slicing, representation and size, without steps for training only.
    pub recipe: tks_events::recipe::Recipe,
}

/// How an image becomes `[C, H, W]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Size, channels, and normalisation with explicit numbers, `(level / 255 - mean) / std` for each
    /// channel; without steps for training only.
    pub recipe: tks_images::Recipe,
}

/// Writes the network of a checkpoint, with the moving average of its weights if there is one.
///
/// # Errors
/// A checkpoint of another network; a full disk or a failed write.
pub fn write(folder: &Path, config: &Config, task: &Task, checkpoint: &Checkpoint) -> Result<()> {
    let network = build_network(config, task, Device::Cpu)?;
    load_weights(network.as_ref(), checkpoint)?;
    let mut tensors: Vec<(String, Tensor)> =
        network.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let input = describe_input(config, task)?;
    let description = Description {
        format: FORMAT,
        network: NetworkConfig { classes: task.classes.len(), ..config.network.clone() },
        task: task.clone(),
        events: input.events,
        images: input.images,
        layers: network.describe_layers()?,
    };
    write_tensors(&folder.join(WEIGHTS), &tensors, HashMap::new())?;
    let text = serde_json::to_vec_pretty(&description)?;
    Ok(tks_data::whole_file::write(&folder.join(DESCRIPTION), &text)?)
}

/// Rebuilds an exported network.
///
/// # Errors
/// Missing or damaged files, or weights of another network.
pub fn read(folder: &Path, device: Device) -> Result<(Box<dyn SpikingModel>, Description)> {
    let path = folder.join(DESCRIPTION);
    let text = tks_data::regular_file::read(&path)?;
    let description: Description = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no description of a network", path.display()))?;
    ensure!(
        description.format == FORMAT,
        "{} has the format {}, this program reads {FORMAT}",
        path.display(),
        description.format
    );
    let store = nn::VarStore::new(device);
    let network = description.network.build(&store.root(), description.task.input)?;
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
