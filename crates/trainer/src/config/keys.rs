//! Every key of the configuration with its kind and purpose: the list generated from the types by `cargo
//! xtask reference`.

use tks_data::nearest::nearest;
use tks_data::toml_file::Item;

/// One line per key: the key, its kind, its purpose.
const LIST: &str = include_str!("keys.tsv");

/// A key of the configuration. `[]` stands for an item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    name: &'static str,
    kind: &'static str,
    about: &'static str,
}

impl Key {
    /// The full key, such as `network.layers[].conv.channels`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Its kind, such as `whole number`; `choice` for one of several names.
    pub fn kind(self) -> &'static str {
        self.kind
    }

    /// Its purpose, as part of a sentence.
    pub fn about(self) -> &'static str {
        self.about
    }

    /// An example value, for keys without a default.
    pub(super) fn example(self) -> &'static str {
        let last = self.name.rsplit('.').next().unwrap_or(self.name);
        match (last, self.kind) {
            ("window_us" | "period_us", _) => "10000",
            ("start_us", _) => "0",
            ("end_us", _) => "100000",
            ("count" | "features", _) => "500",
            ("channels", _) => "64",
            ("height" | "width", _) => "32",
            ("max_rate_hz", _) => "1000.0",
            ("pixels", _) => "[[10, 12]]",
            ("events", _) => "[0, 100]",
            ("mean" | "std", _) => "[0.5, 0.5, 0.5]",
            ("part", _) => "\"train\"",
            (_, "number") => "1.0",
            (_, "true or false") => "true",
            (_, "text" | "path") => "\"...\"",
            (_, "list") => "[1.0, 1.0]",
            _ => "2",
        }
    }
}

/// Every key, in the order of the reference.
pub fn all() -> impl Iterator<Item = Key> {
    LIST.lines().filter_map(|line| {
        let mut parts = line.split('\t');
        Some(Key { name: parts.next()?, kind: parts.next()?, about: parts.next()? })
    })
}

/// Finds a key by its name, in which list items may have numbers.
pub fn find(name: &str) -> Option<Key> {
    let mut plain = String::with_capacity(name.len());
    let mut in_brackets = false;
    for letter in name.chars() {
        in_brackets = (in_brackets || letter == '[') && letter != ']';
        if !in_brackets || letter == '[' {
            plain.push(letter);
        }
    }
    all().find(|key| key.name == plain)
}

/// The full key whose last part is `own` or similar: `training.epochs` for `epochs`.
pub fn by_last_part(own: &str) -> Option<&'static str> {
    let nothing = Item { node: tks_data::toml_file::Node::Table(Vec::new()), place: Default::default() };
    elsewhere("", own, &nothing)
}

/// Former names of keys, with the present ones.
const RENAMED: [(&str, &str); 2] = [
    ("data.images.mix.mixup_alpha", "data.images.mix.mixup.alpha"),
    ("data.images.mix.cutmix_alpha", "data.images.mix.cutmix.alpha"),
];

/// Names of keys in other programs.
const MEANT: [(&str, &str); 8] = [
    ("t", "time_steps"),
    ("steps", "time_steps"),
    ("timesteps", "time_steps"),
    ("learning_rate", "optimizer.lr"),
    ("batch", "training.batch_size"),
    ("model", "network.architecture"),
    ("dataset", "data.name"),
    ("gpu", "hardware.device"),
];

/// The full key for the name `own` used by other programs.
fn meant(own: &str) -> Option<&'static str> {
    MEANT.iter().find(|(other, _)| other.eq_ignore_ascii_case(own)).map(|(_, key)| *key)
}

/// The present name of a key that was renamed.
pub(super) fn renamed(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(before, _)| *before == key).map(|(_, now)| *now)
}

/// Whether `name` is a choice with settings below it, and `below` one of its options.
pub(super) fn is_choice(name: &str, below: &str) -> bool {
    // Names that a program registered are not among the keys.
    let registered: &[&str] = match name {
        "loss" => tks_loss::LossConfig::names(),
        "network.architecture" => tks_models::Architecture::names(),
        _ => &[],
    };
    find(name).is_some_and(|key| key.kind == "choice")
        && (registered.contains(&below) || find(&format!("{name}.{below}")).is_some())
}

/// The full key probably meant by `own` in `section`: preferably below that section, and preferably one
/// present in `whole` over one that would need other choices.
pub(super) fn elsewhere(section: &str, own: &str, whole: &Item) -> Option<&'static str> {
    let within = |key: &Key| section.is_empty() || key.name.starts_with(&format!("{section}."));
    let last = |key: &Key| key.name.rsplit('.').next().unwrap_or(key.name);
    let present = |name: &str| {
        let (above, last) = name.rsplit_once('.').unwrap_or(("", name));
        let place = if above.is_empty() { whole } else { whole.nearest(above) };
        place.get(last).is_some()
    };
    let best = |own: &str| {
        let mut found: Vec<Key> = all().filter(|key| last(key) == own && !key.name.contains("[]")).collect();
        // Among equals, in the order of the reference.
        found.sort_by_key(|key| (!within(key), !present(key.name), key.name.matches('.').count()));
        found.first().map(|key| key.name)
    };
    best(own).or_else(|| meant(own).filter(|_| section.is_empty())).or_else(|| {
        let names: Vec<&str> = all().filter(within).map(|key| last(&key)).collect();
        best(nearest(own, names)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_name() {
        let key = find("network.layers[12].conv.channels").unwrap();
        assert_eq!((key.name(), key.kind()), ("network.layers[].conv.channels", "whole number"));
        assert!(find("training.epoch").is_none());
        assert!(MEANT.iter().all(|(_, key)| find(key).is_some()));
        assert!(is_choice("network.neuron.model", "plif") && !is_choice("network.neuron", "model"));
        assert!(!is_choice("network.neuron.model", "plof"));
    }

    #[test]
    fn a_short_key_is_answered_with_the_whole_one() {
        let whole = Item::parse("[network.neuron.model.klif]\ntau = 2.0\n", 0).unwrap();
        let none = Item::parse("", 0).unwrap();
        assert_eq!(elsewhere("", "epochs", &none), Some("training.epochs"));
        assert_eq!(elsewhere("", "epoch", &none), Some("training.epochs"));
        assert_eq!(elsewhere("network.neuron", "tau", &whole), Some("network.neuron.model.klif.tau"));
        assert_eq!(elsewhere("network.neuron", "tau", &none), Some("network.neuron.model.lif.tau"));
        assert_eq!(elsewhere("network", "v_threshold", &none), Some("network.neuron.v_threshold"));
        assert_eq!(elsewhere("", "nothing_like_it", &none), None);
        for own in ["T", "steps", "timesteps"] {
            assert_eq!(elsewhere("", own, &none), Some("time_steps"));
        }
    }
}
