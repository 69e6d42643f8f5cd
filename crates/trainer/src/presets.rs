//! Configurations by name: the reference recipes of the paper's data sets and networks, and small ones that train in
//! minutes on two cores.

use std::sync::{PoisonError, RwLock};

use anyhow::{Result, ensure};
use tks_data::DataError;
use tks_data::nearest::nearest;

/// Name and text, the small ones first.
const PRESETS: &[(&str, &str)] = &[
    ("nmnist-small", include_str!("../presets/nmnist-small.toml")),
    ("digits-small", include_str!("../presets/digits-small.toml")),
    ("fashion-mnist-small", include_str!("../presets/fashion-mnist-small.toml")),
    ("cifar10-small", include_str!("../presets/cifar10-small.toml")),
    ("cifar10-sew-resnet19", include_str!("../presets/cifar10-sew-resnet19.toml")),
    ("cifar10-sew-resnet20", include_str!("../presets/cifar10-sew-resnet20.toml")),
    ("cifar10-spikformer", include_str!("../presets/cifar10-spikformer.toml")),
    ("cifar10-ms-resnet18", include_str!("../presets/cifar10-ms-resnet18.toml")),
    ("cifar10-tdbn-resnet19", include_str!("../presets/cifar10-tdbn-resnet19.toml")),
    ("cifar100-sew-resnet19", include_str!("../presets/cifar100-sew-resnet19.toml")),
    ("cifar100-sew-resnet20", include_str!("../presets/cifar100-sew-resnet20.toml")),
    ("cifar100-tdbn-resnet19", include_str!("../presets/cifar100-tdbn-resnet19.toml")),
    ("imagenet-1k-sew-resnet18", include_str!("../presets/imagenet-1k-sew-resnet18.toml")),
    ("imagenet-1k-sew-resnet34", include_str!("../presets/imagenet-1k-sew-resnet34.toml")),
    ("dvs-cifar10-vgg-snn", include_str!("../presets/dvs-cifar10-vgg-snn.toml")),
    ("n-caltech101-vgg-snn", include_str!("../presets/n-caltech101-vgg-snn.toml")),
    ("cub-200-2011-sew-resnet18", include_str!("../presets/cub-200-2011-sew-resnet18.toml")),
    ("stanford-dogs-sew-resnet18", include_str!("../presets/stanford-dogs-sew-resnet18.toml")),
    ("stanford-cars-sew-resnet18", include_str!("../presets/stanford-cars-sew-resnet18.toml")),
];

/// The presets added by a program.
static REGISTERED: RwLock<Vec<Preset>> = RwLock::new(Vec::new());

/// Name and text.
type Preset = (&'static str, &'static str);

/// Adds a preset; the text's first line is a comment that describes it.
///
/// # Errors
/// A name that is already taken.
pub fn register(name: &'static str, text: &'static str) -> Result<()> {
    ensure!(!names().contains(&name), "there already is a preset called `{name}`: choose another name");
    REGISTERED.write().unwrap_or_else(PoisonError::into_inner).push((name, text));
    Ok(())
}

/// The built-in presets, then the registered ones.
fn entries() -> Vec<Preset> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    PRESETS.iter().chain(registered.iter()).copied().collect()
}

/// The names.
pub fn names() -> Vec<&'static str> {
    entries().into_iter().map(|(name, _)| name).collect()
}

/// Each name with its description, from the first line of its text.
pub fn all() -> Vec<(&'static str, &'static str)> {
    let about = |text: &'static str| text.lines().next().unwrap_or("").trim_start_matches(['#', ' ']);
    entries().into_iter().map(|(name, text)| (name, about(text))).collect()
}

/// The TOML text of a preset.
///
/// # Errors
/// An unknown name, with the nearest one.
pub fn text(name: &str) -> Result<&'static str> {
    match entries().into_iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok(text),
        None => Err(DataError::UnknownName {
            what: "preset",
            name: name.to_owned(),
            nearest: nearest(name, names().iter().copied()).map(str::to_owned),
            known: names().into_iter().map(str::to_owned).collect(),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn each_is_a_whole_configuration_of_its_name() {
        for (name, about) in all() {
            let config = Config::parse(text(name).unwrap(), name.as_ref(), &[]).unwrap();
            assert_eq!(config.name, name);
            assert!(about.len() > 20, "{name}: {about}");
            // Writing and reading it again results in the same configuration.
            assert_eq!(
                Config::parse(&config.to_toml().unwrap(), name.as_ref(), &[]).unwrap(),
                config,
                "{name}"
            );
        }
    }

    #[test]
    fn a_typing_error_is_answered_with_the_nearest_name() {
        let error = text("cifar10-sew-resnet91").unwrap_err().to_string();
        assert!(error.contains("did you mean `cifar10-sew-resnet19`"), "{error}");
    }
}
