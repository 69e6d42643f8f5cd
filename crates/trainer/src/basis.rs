//! The conditions, besides its configuration, on which the numbers of a training depend. They are stored in
//! every checkpoint, so that resuming elsewhere or with different data is noticed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tks_data::{Dataset, SampleContext, SampleSlot};

use crate::config::{Config, DataConfig};
use crate::data::Data;
use crate::environment::{device_name, instruction_set};

/// The environment and the data of a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Number of threads for computation, which determines the order in which sums are added.
    pub threads: usize,
    /// The device.
    pub device: String,
    /// The processor's widest vector instructions.
    pub instruction_set: String,
    /// The program's version.
    pub program: String,
    /// libtorch's version.
    pub libtorch: String,
    /// SHA-256 of how stored samples become input: `data`, `time_steps` and `seed` of the configuration,
    /// without settings that do not affect the numbers.
    pub recipe: String,
    /// The training samples.
    pub train: Fingerprint,
    /// The test samples.
    pub test: Fingerprint,
}

/// Number of samples whose values are hashed.
const PROBED: usize = 16;

/// A fingerprint of samples, from information that needs no loading and from some loaded samples. The texts
/// are SHA-256 sums in the order of the samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Number of samples.
    pub samples: usize,
    /// Sum of their names, without their common folder.
    pub names: String,
    /// Sum of their labels.
    pub labels: String,
    /// Sum of their stored sizes.
    pub sizes: String,
    /// Sum of the values of some of them, as the network sees them in the first epoch.
    pub values: String,
}

impl Fingerprint {
    /// The fingerprint of a data set, with values as a training with this seed loads them.
    pub fn new<D: Dataset<Element = f32> + ?Sized>(samples: &D, seed: u64) -> Self {
        let count = samples.len();
        let common = common_folder((0..count).map(|index| samples.sample_name(index)));
        let [mut names, mut labels, mut sizes] = [Sha256::new(), Sha256::new(), Sha256::new()];
        for index in 0..count {
            let name = samples.sample_name(index);
            // With its length, so that no two lists produce the same text.
            let own = name.get(common..).unwrap_or(&name);
            names.update((own.len() as u64).to_le_bytes());
            names.update(own);
            labels.update((samples.label(index) as u64).to_le_bytes());
            sizes.update(samples.sample_size(index).unwrap_or(u64::MAX).to_le_bytes());
        }
        Fingerprint {
            samples: count,
            names: hex(names),
            labels: hex(labels),
            sizes: hex(sizes),
            values: values(samples, seed),
        }
    }

    /// How `now` differs from this, in words.
    fn difference(&self, now: &Self, same_recipe: bool) -> Option<String> {
        if self.samples != now.samples {
            return Some(format!("it has {} samples and had {}", now.samples, self.samples));
        }
        let changed: Vec<&str> = [
            ("names or their order", self.names == now.names),
            ("labels", self.labels == now.labels),
            ("stored sizes", self.sizes == now.sizes),
            ("values", !same_recipe || self.values == now.values),
        ]
        .into_iter()
        .filter_map(|(what, same)| (!same).then_some(what))
        .collect();
        (!changed.is_empty()).then(|| format!("the samples' {} changed", listed(&changed)))
    }
}

/// SHA-256 over the values of some samples, evenly spaced. A sample that cannot be loaded counts as empty;
/// the error is reported in training.
fn values<D: Dataset<Element = f32> + ?Sized>(samples: &D, seed: u64) -> String {
    let (count, shape) = (samples.len(), samples.shape());
    let mut hash = Sha256::new();
    let mut sample = vec![0.0f32; shape.len()];
    for probe in 0..PROBED.min(count) {
        let index = probe * count / PROBED.min(count);
        let mut context = SampleContext::new(seed, 0, index);
        match samples.load(index, &mut context, SampleSlot::alone(&mut sample, &shape)) {
            Ok(()) => sample.iter().for_each(|value| hash.update(value.to_le_bytes())),
            Err(_) => hash.update([0]),
        }
    }
    hex(hash)
}

/// The length of the common prefix of all names, up to the last `/`.
fn common_folder(mut names: impl Iterator<Item = String>) -> usize {
    let Some(first) = names.next() else { return 0 };
    let shared = names.fold(first.len(), |shared, name| {
        first.bytes().zip(name.bytes()).take(shared).take_while(|(a, b)| a == b).count()
    });
    first.as_bytes()[..shared].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// A SHA-256 sum in hexadecimal digits.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Basis {
    /// The conditions in this process.
    pub fn new(config: &Config, data: &Data, device: tch::Device) -> Self {
        let usual = DataConfig::default();
        let recipe = DataConfig {
            path: None,
            workers: usual.workers,
            prefetch: usual.prefetch,
            ..config.data.clone()
        };
        // Every part of a configuration can be written as JSON; otherwise, all recipes would count as equal.
        let recipe = serde_json::to_string(&(recipe, config.time_steps, config.seed)).unwrap_or_default();
        Basis {
            recipe: hex(Sha256::new_with_prefix(recipe)),
            threads: usize::try_from(tch::get_num_threads()).unwrap_or(1),
            device: device_name(device),
            instruction_set: instruction_set(),
            program: env!("CARGO_PKG_VERSION").into(),
            libtorch: tks_autograd::libtorch_version().into(),
            train: Fingerprint::new(data.train.dataset().as_ref(), config.seed),
            test: Fingerprint::new(data.test.as_ref(), config.seed),
        }
    }

    /// The differences from `now`, one sentence each.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let same = self.recipe == now.recipe;
        let mut changes = Vec::new();
        let mut seen = |difference: Option<String>, part: &str, then: &str| {
            changes.extend(
                difference.map(|what| format!("the {part} part is not the one of before: {what}; {then}")),
            );
        };
        seen(
            self.train.difference(&now.train, same),
            "training",
            "the training goes on with what is there now",
        );
        seen(
            self.test.difference(&now.test, same),
            "test",
            "accuracies of before and of now are not of the same samples",
        );
        let rounding = "figures may differ in their last digits from those of a training in one piece";
        if self.threads != now.threads {
            changes.push(format!(
                "it computes with {} now and did with {}: {rounding}; `--set hardware.threads={}` computes as before",
                counted(now.threads),
                self.threads,
                self.threads
            ));
        }
        for (what, before, now) in [
            ("device", &self.device, &now.device),
            ("processor's instruction set", &self.instruction_set, &now.instruction_set),
            ("version of tks", &self.program, &now.program),
            ("version of libtorch", &self.libtorch, &now.libtorch),
        ] {
            if before != now {
                changes.push(format!("the {what} is {now} and was {before}: {rounding}"));
            }
        }
        changes
    }
}

fn counted(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tks_data::{BoxError, SampleShape};

    /// Samples by name, label and size; their only value is their size, if they can be loaded.
    struct Named(Vec<(&'static str, usize, u64)>);

    impl Dataset for Named {
        type Element = f32;
        fn len(&self) -> usize {
            self.0.len()
        }
        fn shape(&self) -> SampleShape {
            SampleShape::image(1, 1, 1)
        }
        fn classes(&self) -> usize {
            2
        }
        fn label(&self, index: usize) -> usize {
            self.0[index].1
        }
        fn sample_name(&self, index: usize) -> String {
            self.0[index].0.into()
        }
        fn sample_size(&self, index: usize) -> Option<u64> {
            Some(self.0[index].2)
        }
        fn load(
            &self,
            index: usize,
            _: &mut SampleContext,
            mut slot: SampleSlot<'_, f32>,
        ) -> Result<(), BoxError> {
            slot.fill(self.0[index].2 as f32);
            Ok(())
        }
    }

    fn difference(
        before: &[(&'static str, usize, u64)],
        now: &[(&'static str, usize, u64)],
    ) -> Option<String> {
        let [before, now] = [before, now].map(|samples| Fingerprint::new(&Named(samples.to_vec()), 1));
        before.difference(&now, true)
    }

    const SAMPLES: [(&str, usize, u64); 3] = [("/a/x/1", 0, 9), ("/a/x/2", 1, 8), ("/a/y/3", 1, 7)];

    #[test]
    fn a_data_set_that_was_moved_is_the_same() {
        assert_eq!(difference(&SAMPLES, &SAMPLES), None);
        let moved = [("/else/where/x/1", 0, 9), ("/else/where/x/2", 1, 8), ("/else/where/y/3", 1, 7)];
        assert_eq!(difference(&SAMPLES, &moved), None);
    }

    #[test]
    fn what_changed_is_named() {
        let mut changed = SAMPLES;
        (changed[0].1, changed[1].1) = (1, 0);
        assert_eq!(difference(&SAMPLES, &changed).unwrap(), "the samples' labels changed");
        changed[2].2 = 70;
        assert_eq!(
            difference(&SAMPLES, &changed).unwrap(),
            "the samples' labels, stored sizes and values changed"
        );
        let swapped = [SAMPLES[1], SAMPLES[0], SAMPLES[2]];
        assert!(
            difference(&SAMPLES, &swapped)
                .unwrap()
                .contains("names or their order, labels, stored sizes and values")
        );
        assert_eq!(difference(&SAMPLES, &SAMPLES[..2]).unwrap(), "it has 2 samples and had 3");
        assert_eq!(difference(&[], &[]), None);
    }

    #[test]
    fn each_change_of_what_results_depend_on_is_told_once() {
        let fingerprint = Fingerprint::new(&Named(SAMPLES.to_vec()), 1);
        let before = Basis {
            threads: 2,
            device: "cpu".into(),
            instruction_set: "avx2".into(),
            program: "1".into(),
            libtorch: "2".into(),
            recipe: "3".into(),
            train: fingerprint.clone(),
            test: fingerprint,
        };
        assert!(before.changes(&before).is_empty());
        let other = Basis { recipe: "4".into(), ..before.clone() };
        assert!(before.changes(&other).is_empty(), "the configuration says so itself");
        let mut now = Basis { threads: 1, device: "cuda:0".into(), libtorch: "3".into(), ..before.clone() };
        now.test.labels = "another".into();
        let said = before.changes(&now);
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].contains("the test part") && said[0].contains("labels"), "{said:?}");
        assert!(
            said[1].contains("1 thread now and did with 2") && said[1].contains("hardware.threads=2"),
            "{said:?}"
        );
        assert!(said[2].contains("cuda:0") && said[3].contains("libtorch is 3 and was 2"), "{said:?}");
    }
}
