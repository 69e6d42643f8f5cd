//! The messages of a training, and their listeners: the terminal and the run's files.

use serde::Serialize;
use tks_report::EpochRecord;

use crate::estimate::Estimate;

/// A message of a training. As JSON, it is an object with its kind in `event`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// It starts, or resumes.
    Start {
        /// The run's folder.
        run: String,
        /// The data set.
        data: String,
        /// Number of training samples.
        train_samples: usize,
        /// Number of training batches in an epoch.
        batches: usize,
        /// Number of test samples.
        test_samples: usize,
        /// The network.
        network: String,
        /// Number of learned values.
        parameters: usize,
        /// The loss.
        loss: String,
        /// Number of time steps.
        time_steps: usize,
        /// The device.
        device: String,
        /// Number of threads for computation.
        threads: usize,
        /// Epoch and batch (both from 0) from which it resumes, if it does.
        resumed: Option<(usize, usize)>,
    },
    /// Its estimated requirements.
    Estimate(Estimate),
    /// A batch is completed.
    Batch(BatchMessage),
    /// Progress of an evaluation.
    Testing {
        /// Number of completed batches.
        batch: usize,
        /// Total number of batches.
        batches: usize,
    },
    /// An epoch is completed.
    Epoch(EpochRecord),
    /// A warning.
    Warning {
        /// The problem and its remedy.
        text: String,
    },
    /// It was asked to stop and has saved its state.
    Stopped {
        /// The run's folder.
        run: String,
        /// Number of completed epochs.
        epochs: usize,
        /// Number of completed batches of the next epoch.
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
        /// Total duration in seconds.
        seconds: f64,
        /// Whether it ended early because there was no progress.
        early: bool,
        /// The path of the report's page.
        report: Option<String>,
    },
}

/// The results of a training batch, with the epoch's means so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct BatchMessage {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Total number of epochs.
    pub epochs: usize,
    /// The batch, from 1.
    pub batch: usize,
    /// Number of batches in an epoch.
    pub batches: usize,
    /// This batch's loss.
    pub loss: f64,
    /// This batch's cross entropy of the logits' mean over the steps.
    pub cross_entropy: f64,
    /// This batch's share of correctly classified samples, 0 to 1.
    pub accuracy: f64,
    /// This batch's share of steps that are correct on their own.
    pub right_steps: f64,
    /// The learning rate.
    pub lr: f64,
    /// Norm of the gradients, if the optimiser made a step.
    pub gradient_norm: Option<f64>,
    /// The epoch's mean loss so far.
    pub mean_loss: f64,
    /// The epoch's mean cross entropy so far.
    pub mean_cross_entropy: f64,
    /// The epoch's accuracy so far.
    pub mean_accuracy: f64,
    /// The epoch's share of correct steps so far.
    pub mean_right_steps: f64,
    /// The epoch's firing rate so far.
    pub firing_rate: Option<f64>,
    /// Samples per second in this epoch.
    pub throughput: f64,
    /// Estimated seconds until the end of the training, from the time taken so far.
    pub seconds_left: f64,
}

/// An error with its causes, each listed once: many errors include their cause in their own text.
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

/// The advice in brackets in errors of recording readers, by the name of its option, and its replacement for
/// commands that read recordings as configured.
const ADVICE: [(&str, &str); 5] = [
    ("lenient", "`data.bad_events = \"drop\"` in the configuration, or `--set data.bad_events=drop`"),
    ("sensor", "`tks data convert --sensor WIDTHxHEIGHT` writes a copy of that size"),
    ("format", "`tks data convert --format NAME` reads it and writes a copy"),
    ("camera", "`tks data convert --camera NAME` reads it and writes a copy"),
    ("columns", "`tks data convert --columns NAMES` reads it and writes a copy"),
];

/// The text of an error from a recording reader, with advice adapted for commands other than `tks data info`.
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

/// Receives messages.
pub trait Listener {
    /// Receives a message.
    ///
    /// # Errors
    /// A file that cannot be written; this stops the training.
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
