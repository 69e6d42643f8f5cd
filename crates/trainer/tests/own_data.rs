//! A data set defined by a program, with settings: training, resuming, evaluation.

mod common;

use std::sync::Arc;

use anyhow::{Result, ensure};
use common::{config, epochs, files, turn};
use serde::Deserialize;
use tks_data::{ArrayDataset, SampleShape};
use tks_models::InputShape;
use tks_trainer::config::Config;
use tks_trainer::data::{Data, DataSource, OpenedData, Samples, Task, register, register_with, registered};
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer};

/// Images with one bright row or column, which is the class.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stripes {
    side: usize,
    #[serde(default)]
    brightness: Option<f32>,
}

impl DataSource for Stripes {
    fn open(&self, config: &Config) -> Result<OpenedData> {
        ensure!(self.side > 0, "`side` is 0");
        let (side, brightness) = (self.side, self.brightness.unwrap_or(1.0));
        let stripe = |index: usize| {
            let place = (index / 2) % side;
            (0..side * side).map(move |at| {
                let is_bright = if index.is_multiple_of(2) { at / side == place } else { at % side == place };
                if is_bright { brightness } else { 0.0 }
            })
        };
        let samples = |count: usize| -> Result<Arc<Samples>> {
            let values = (0..count).flat_map(stripe).collect();
            let labels = (0..count).map(|index| index % 2).collect();
            Ok(Arc::new(ArrayDataset::new(SampleShape::image(1, side, side), values, labels, 2)?))
        };
        let task = Task {
            data: config.data.name.clone(),
            classes: vec!["row".into(), "column".into()],
            input: InputShape::new(1, self.side, self.side),
            time_steps: config.time_steps.unwrap_or(4),
            is_static: true,
        };
        Ok(OpenedData::new(task, samples(160)?, samples(32)?))
    }
}

#[test]
fn a_data_set_of_ones_own_is_trained_on_resumed_and_refuses_wrong_settings() {
    register_with::<Stripes>("stripes").unwrap();
    assert_eq!(registered().collect::<Vec<_>>(), ["stripes"]);
    let taken = register("stripes", Stripes { side: 8, brightness: None }).unwrap_err().to_string();
    assert!(taken.contains("already is a data set called `stripes`"), "{taken}");
    let taken = register("cifar10", Stripes { side: 8, brightness: None }).unwrap_err().to_string();
    assert!(taken.contains("already is a data set called `cifar10`"), "{taken}");

    let folder = tempfile::tempdir().unwrap();
    // Without the settings that are only for the digits.
    let own = |changes: &[&str]| {
        let text = "name = 'own'\ntime_steps = 3\n[data]\nname = 'stripes'\nown = { side = 8 }\n[network]\n\
                    architecture = 'small'\nwidth = 4\n[training]\nepochs = 2\nbatch_size = 16\n[optimizer]\nlr = 0.01\n\
                    lr_batch = 0\n[hardware]\nthreads = 1\n[output]\nreport = false\n";
        let mut changes: Vec<String> = changes.iter().map(|change| (*change).to_string()).collect();
        changes.push(format!("output.folder={:?}", folder.path().display().to_string()));
        Config::parse(text, "own.toml".as_ref(), &changes).unwrap()
    };
    let said = |config: &Config| format!("{:#}", Data::open(config).unwrap_err());
    let missing = said(&own(&["data.own={}"]));
    assert!(missing.contains("`data.own`, the settings of `stripes`: missing field `side`"), "{missing}");
    let unknown = said(&own(&["data.own={ side = 8, width = 3 }"]));
    assert!(unknown.contains("unknown field `width`"), "{unknown}");
    let mut mistyped = own(&[]);
    (mistyped.data.name, mistyped.data.own) = ("strips".into(), None);
    let near = said(&mistyped);
    assert!(near.contains("did you mean `stripes`"), "{near}");
    let other = said(&config(folder.path(), &["data.own={ side = 8 }"]));
    assert!(other.contains("`data.own` is for data sets that a program registered"), "{other}");

    let _turn = turn();
    let whole = RunFolder::create(&own(&["training.epochs=3"])).unwrap();
    let trainer = Trainer::start(own(&["training.epochs=3"]), whole.clone(), files(&whole)).unwrap();
    let Outcome::Finished(evaluation) = trainer.fit(&StopFlag::default()).unwrap() else { panic!("stopped") };
    assert_eq!(evaluation.samples, 32);
    assert!(evaluation.accuracy() > 0.7, "{}", evaluation.accuracy());

    // Settings are in the run's own configuration: stopped at once and resumed, it is the same run.
    let parts = RunFolder::create(&own(&["training.epochs=3", "name='parts'"])).unwrap();
    let stop = StopFlag::default();
    stop.ask();
    let trainer =
        Trainer::start(own(&["training.epochs=3", "name='parts'"]), parts.clone(), files(&parts)).unwrap();
    assert_eq!(trainer.fit(&stop).unwrap(), Outcome::Stopped);
    let resumed = Trainer::resume(parts.clone(), &[], files(&parts)).unwrap();
    assert!(matches!(resumed.fit(&StopFlag::default()).unwrap(), Outcome::Finished(_)));
    assert_eq!(epochs(&parts), epochs(&whole));
}
