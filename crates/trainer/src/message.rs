//! What a training says while it runs, and who hears it: the terminal and the run's files.

use serde::Serialize;
use tks_report::EpochRecord;

use crate::estimate::Estimate;

/// Something that a training has to say. As JSON each is an object with its kind in `event`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Message {
    /// It begins, or goes on.
    Start {
        /// The run's folder.
        run: String,
        /// The data set.
        data: String,
        /// Training samples.
        train_samples: usize,
        /// Training batches in an epoch.
        batches: usize,
        /// Test samples.
        test_samples: usize,
        /// The network.
        network: String,
        /// Its trained numbers.
        parameters: usize,
        /// The loss.
        loss: String,
        /// Time steps.
        time_steps: usize,
        /// The device.
        device: String,
        /// Threads that compute.
        threads: usize,
        /// Epoch and batch (both from 0) that it goes on from, if it does.
        resumed: Option<(usize, usize)>,
    },
    /// What it will take.
    Estimate(Estimate),
    /// A batch is done.
    Batch(BatchMessage),
    /// An evaluation goes on.
    Testing {
        /// Batches done.
        batch: usize,
        /// Batches in all.
        batches: usize,
    },
    /// An epoch is done.
    Epoch(EpochRecord),
    /// Something is odd.
    Warning {
        /// What, and what to do.
        text: String,
    },
    /// It was asked to stop, and has saved.
    Stopped {
        /// The run's folder.
        run: String,
        /// Epochs that are whole.
        epochs: usize,
        /// Batches of the next.
        batches: usize,
    },
    /// It has ended.
    Finished {
        /// The run's folder.
        run: String,
        /// The best accuracy, 0 to 1, and its epoch, from 1.
        best: Option<(f64, usize)>,
        /// Accuracy after 1, 2, ... T steps of the best epoch's network, 0 to 1.
        test_accuracy: Vec<f64>,
        /// Seconds in all.
        seconds: f64,
        /// Whether it ended before its time for want of progress.
        early: bool,
        /// The report's page.
        report: Option<String>,
    },
}

/// A batch of a training, with the epoch's means so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BatchMessage {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// The batch, from 1.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// This batch's loss.
    pub loss: f64,
    /// This batch's cross entropy of the logits' mean over the steps.
    pub cross_entropy: f64,
    /// This batch's share of right samples, 0 to 1.
    pub accuracy: f64,
    /// This batch's share of steps that alone are right.
    pub right_steps: f64,
    /// The learning rate.
    pub lr: f64,
    /// Norm of the gradients, where the optimiser made a step.
    pub gradient_norm: Option<f64>,
    /// The epoch's mean loss so far.
    pub mean_loss: f64,
    /// The epoch's mean cross entropy so far.
    pub mean_cross_entropy: f64,
    /// The epoch's accuracy so far.
    pub mean_accuracy: f64,
    /// The epoch's share of right steps so far.
    pub mean_right_steps: f64,
    /// The epoch's firing rate so far.
    pub firing_rate: Option<f64>,
    /// Samples a second in this epoch.
    pub throughput: f64,
    /// Seconds to the training's end, by what it took so far.
    pub seconds_left: f64,
}

/// An error with its causes, each told once: many errors have their cause in their own text.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(cause.trim()) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What readers of recordings advise, in brackets by the name of their option, as the commands have it that read
/// recordings by a configuration.
const ADVICE: [(&str, &str); 5] = [
    ("lenient", "`data.bad_events = \"drop\"` in the configuration, or `--set data.bad_events=drop`"),
    ("sensor", "`tks data convert --sensor WIDTHxHEIGHT` writes a copy of that size"),
    ("format", "`tks data convert --format NAME` reads it and writes a copy"),
    ("camera", "`tks data convert --camera NAME` reads it and writes a copy"),
    ("columns", "`tks data convert --columns NAMES` reads it and writes a copy"),
];

/// A text of a reader of recordings, whose advice names the options of `tks data info`, for the other commands.
pub fn with_own_keys(text: &str) -> String {
    let mut rest = text;
    let mut translated = String::new();
    while let Some(at) = rest.find("(`") {
        let (before, bracket) = rest.split_at(at);
        translated.push_str(before);
        let end = bracket.find(')').map_or(bracket.len(), |end| end + 1);
        let (bracket, behind) = bracket.split_at(end);
        let name = bracket[2..].split(|letter: char| !letter.is_ascii_alphabetic()).next();
        match ADVICE.iter().find(|(option, _)| Some(*option) == name && bracket.contains("`--")) {
            Some((_, advice)) => translated.push_str(&format!("({advice})")),
            None => translated.push_str(bracket),
        }
        rest = behind;
    }
    translated + rest
}

/// Who hears messages.
pub trait Listener {
    /// Hears one.
    ///
    /// # Errors
    /// A file that cannot be written: the training stops with it.
    fn hear(&mut self, message: &Message) -> anyhow::Result<()>;
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use tks_data::DataError;

    use super::*;

    #[test]
    fn advice_names_what_the_command_has() {
        let told = with_own_keys(
            "a (b): give it (`sensor`; `--sensor WIDTHxHEIGHT`), or (`lenient`; `--lenient`; in a training's \
             configuration `data.bad_events = \"drop\"`) or (`lenient`) (",
        );
        let expected = "a (b): give it (`tks data convert --sensor WIDTHxHEIGHT` writes a copy of that size), or \
                        (`data.bad_events = \"drop\"` in the configuration, or `--set data.bad_events=drop`) or \
                        (`lenient`) (";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_cause_is_told_once_whoever_repeats_it() {
        let system = || std::io::Error::from_raw_os_error(2);
        let said = system().to_string();
        let file = || DataError::io("read", "a.png", system());
        let sample = || DataError::Sample { index: 3, name: "a.png".into(), source: file().into() };
        let hook = || DataError::Hook { epoch: 1, batch: 2, source: sample().into() };
        let chains = [
            anyhow::Error::from(file()),
            anyhow::Error::from(sample()),
            anyhow::Error::from(hook()),
            anyhow::Error::from(tks_images::ImageError::from(file())),
            anyhow::Error::from(tks_events::EventError::from(file())),
            anyhow::Error::from(system()).context(format!("cannot open it: {said}")),
        ];
        for error in chains {
            let text = told(&error.context("cannot train").context("in epoch 2"));
            assert_eq!(text.matches(&said).count(), 1, "{text}");
            assert!(text.starts_with("in epoch 2: cannot train: "), "{text}");
        }
        let none: anyhow::Result<()> = Err(anyhow::anyhow!("b")).context("a");
        assert_eq!(told(&none.unwrap_err()), "a: b");
    }
}
