//! Display of a training's progress, for people and scripts.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tks_report::EpochRecord;
use tks_report::figures::TKS_LOSS_MAY_RISE;

use crate::message::{BatchMessage, Listener, Message};
use crate::output::{eprint, print};

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// A progress bar on a terminal, plain lines elsewhere.
    #[default]
    Normal,
    /// Only the result; warnings go to standard error.
    Quiet,
    /// One JSON object per line on standard output, for programs.
    Json,
}

/// Interval between lines within an epoch, without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Displays a training's messages.
#[derive(Debug)]
pub struct Display {
    verbosity: Verbosity,
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// The error of the first line that could not be written.
    lost: Option<anyhow::Error>,
}

impl Display {
    /// A display on this process's standard output (results) and standard error (progress, warnings).
    pub fn new(verbosity: Verbosity) -> Self {
        let on_terminal = verbosity == Verbosity::Normal && std::io::stderr().is_terminal();
        let bar = on_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style());
            bar
        });
        Display { verbosity, bar, last_line: Instant::now(), lost: None }
    }

    /// Prints a permanent line.
    fn line(&mut self, text: &str) {
        let written = match &self.bar {
            Some(bar) => bar.suspend(|| print(text)),
            None => print(text),
        };
        self.note(written);
    }

    fn warning(&mut self, text: &str) {
        let text = format!("warning: {text}");
        let written = match &self.bar {
            Some(bar) => bar.suspend(|| eprint(&text)),
            None => eprint(&text),
        };
        self.note(written);
    }

    /// A lost line does not end the training, since its results are also in the run's files, but the training
    /// does not count as successful.
    fn note(&mut self, written: Result<()>) {
        let Err(error) = written else { return };
        if self.lost.is_none() {
            let _ = eprint(&format!("warning: {error:#}; the training goes on, and ends with this error"));
            self.lost = Some(error);
        }
    }

    fn batch(&mut self, batch: &BatchMessage) {
        if let Some(bar) = &self.bar {
            bar.set_length(batch.batches as u64);
            bar.set_position(batch.batch as u64);
            bar.set_prefix(format!("epoch {}/{}", batch.epoch, batch.epochs));
            bar.set_message(batch_line(batch));
        } else if self.verbosity == Verbosity::Normal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let place =
                format!("epoch {}/{}, batch {}/{}", batch.epoch, batch.epochs, batch.batch, batch.batches);
            self.line(&format!("{place}: {}", batch_line(batch)));
        }
    }

    fn normal(&mut self, message: &Message) {
        match message {
            Message::Start {
                run,
                data,
                train_samples,
                test_samples,
                network,
                parameters,
                loss,
                time_steps,
                device,
                threads,
                resumed,
                ..
            } => {
                self.line(&format!(
                    "{data}: {} to train on, {test_samples} to test on\n{network}: {} \
                     parameters, {}, loss {loss}, on {device} with {}",
                    counted(*train_samples, "sample"),
                    grouped(*parameters),
                    counted(*time_steps, "time step"),
                    counted(*threads, "thread")
                ));
                if loss == "tks" {
                    self.line(TKS_LOSS_MAY_RISE);
                }
                match resumed {
                    None => self.line(&format!("run: {run}")),
                    Some((epoch, batch)) => {
                        self.line(&format!(
                            "run: {run}, goes on in epoch {}, after batch {batch}",
                            epoch + 1
                        ));
                    }
                }
            }
            Message::Estimate(estimate) => self.line(&estimate.to_string()),
            Message::Batch(batch) => self.batch(batch),
            Message::Testing { batch, batches } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("testing {batch}/{batches}"));
                }
            }
            Message::Epoch(record) => {
                self.last_line = Instant::now();
                self.line(&epoch_line(record));
            }
            Message::Warning { .. } => {}
            Message::Stopped { run, epochs, batches } => {
                self.end();
                self.line(&format!(
                    "stopped in epoch {}, after batch {batches}, and saved; `tks resume {run}` goes on",
                    epochs + 1
                ));
            }
            Message::Finished { run, best, test_accuracy, seconds, early, report } => {
                self.end();
                if *early {
                    self.line("no better accuracy for a while: ended before its time (training.patience)");
                }
                if let Some((accuracy, epoch)) = best {
                    self.line(&format!(
                        "best accuracy {} in epoch {epoch}, after {}",
                        percent(*accuracy),
                        duration(*seconds)
                    ));
                }
                if !test_accuracy.is_empty() {
                    self.line(&accuracy_table(test_accuracy));
                }
                self.line(&format!("run: {run}"));
                if let Some(report) = report {
                    self.line(&format!("report: {report}"));
                }
            }
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Listener for Display {
    fn hear(&mut self, message: &Message) -> Result<()> {
        if let (Message::Warning { text }, false) = (message, self.verbosity == Verbosity::Json) {
            self.warning(text);
        }
        match self.verbosity {
            Verbosity::Json => self.line(&serde_json::to_string(message)?),
            Verbosity::Normal => self.normal(message),
            Verbosity::Quiet => match message {
                Message::Finished { test_accuracy, .. } if !test_accuracy.is_empty() => {
                    self.line(&accuracy_table(test_accuracy));
                }
                Message::Stopped { .. } => self.normal(message),
                _ => {}
            },
        }
        match message {
            Message::Stopped { .. } | Message::Finished { .. } => self.lost.take().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix} {bar:24} {pos}/{len} {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `12,345,678`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `87.3%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// `3 minutes`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds.is_finite() && seconds >= 10.0 => {
            HumanDuration(Duration::from_secs_f64(seconds)).to_string()
        }
        seconds => format!("{seconds:.1} seconds"),
    }
}

fn batch_line(batch: &BatchMessage) -> String {
    let firing = batch.firing_rate.map_or_else(String::new, |rate| format!(", firing {rate:.3}"));
    format!(
        "{}, accuracy {}, right steps {}{firing}, {:.0} samples/s, {} left",
        losses(3, Some(batch.mean_cross_entropy), None, Some(batch.mean_loss)),
        percent(batch.mean_accuracy),
        percent(batch.mean_right_steps),
        batch.throughput,
        duration(batch.seconds_left)
    )
}

/// Cross entropy of training and test, and the loss if it differs.
fn losses(digits: usize, train: Option<f64>, test: Option<f64>, loss: Option<f64>) -> String {
    let text = |value: f64| format!("{value:.digits$}");
    let (train, test, loss) = (train.map(text), test.map(text), loss.map(text));
    let loss = loss.filter(|loss| Some(loss) != train.as_ref());
    let entropy = match (train, test) {
        (Some(train), Some(test)) => Some(format!("cross entropy {train} (test {test})")),
        (Some(train), None) => Some(format!("cross entropy {train}")),
        (None, Some(test)) => Some(format!("test cross entropy {test}")),
        (None, None) => None,
    };
    entropy.into_iter().chain(loss.map(|loss| format!("loss {loss}"))).collect::<Vec<_>>().join(", ")
}

fn epoch_line(record: &EpochRecord) -> String {
    let share = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {}", percent(value)));
    let after_one = match record.accuracy_by_steps.as_slice() {
        [first, .., _] => Some(format!("({} after 1 step)", percent(*first))),
        _ => None,
    };
    let tested = share("test accuracy", record.test_accuracy);
    let parts = [
        Some(losses(4, record.train_cross_entropy, record.test_loss, record.train_loss))
            .filter(|text| !text.is_empty()),
        share("train accuracy", record.train_accuracy),
        tested.map(|tested| [Some(tested), after_one].into_iter().flatten().collect::<Vec<_>>().join(" ")),
        share("right steps", record.right_steps),
        share("samples without one", record.none_right),
        record.firing_rate.map(|rate| format!("firing {rate:.3}")),
        record.samples_per_second.map(|rate| format!("{rate:.0} samples/s")),
        record.seconds.map(duration),
    ];
    format!("epoch {}: {}", record.epoch, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Accuracy by test time steps, as two lines.
pub fn accuracy_table(accuracy: &[f64]) -> String {
    let steps: String = (1..=accuracy.len()).map(|step| format!("{step:>7}")).collect();
    let values: String = accuracy.iter().map(|&share| format!("{:>7}", percent(share))).collect();
    format!("test time steps {steps}\naccuracy        {values}")
}

/// A count with its noun: `1 time step`, `4 time steps`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_is_shown_for_both_parts_and_the_loss_where_it_differs() {
        let record = |loss| EpochRecord {
            epoch: 3,
            train_loss: Some(loss),
            train_cross_entropy: Some(0.25),
            test_loss: Some(0.5),
            ..EpochRecord::default()
        };
        assert_eq!(epoch_line(&record(2.0)), "epoch 3: cross entropy 0.2500 (test 0.5000), loss 2.0000");
        assert_eq!(epoch_line(&record(0.25)), "epoch 3: cross entropy 0.2500 (test 0.5000)");
        let untested = EpochRecord { test_loss: None, ..record(0.25) };
        assert_eq!(epoch_line(&untested), "epoch 3: cross entropy 0.2500");
        assert_eq!(epoch_line(&EpochRecord { epoch: 1, ..EpochRecord::default() }), "epoch 1: ");
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([1, 999, 1000, 1234567].map(grouped), ["1", "999", "1,000", "1,234,567"]);
        assert_eq!((percent(0.8734), duration(0.25)), ("87.3%".into(), "0.2 seconds".into()));
        assert_eq!(accuracy_table(&[0.5, 1.0]).lines().nth(1).unwrap(), "accuracy          50.0% 100.0%");
    }
}
