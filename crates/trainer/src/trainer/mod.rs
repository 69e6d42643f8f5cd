//! The training itself: epochs, checkpoints, the end.

mod batch;
mod trial;

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use tch::{Device, Tensor, nn};
use tks_models::{Network, NetworkConfig};

use crate::checkpoint::{Best, Checkpoint, Position, RunLock, Which};
use crate::config::Config;
use crate::data::{Data, Task};
use crate::ema::Ema;
use crate::environment::{device_name, of_this_process};
use crate::evaluation::{Evaluation, evaluate};
use crate::message::{Listener, Message};
use crate::optimizer::Optimizer;
use crate::run_folder::{RunFolder, TASK};
use crate::stop::Stop;
use crate::watch::LayerWatch;

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It went to its end, or to where no better accuracy was found.
    Finished(Box<Evaluation>),
    /// It was asked to stop, and has saved.
    Stopped,
}

/// A training: of a new run, or of one that goes on.
pub struct Trainer {
    config: Config,
    run: RunFolder,
    device: Device,
    data: Data,
    network: Network,
    optimizer: Optimizer,
    ema: Option<Ema>,
    position: Position,
    watch: LayerWatch,
    listeners: Vec<Box<dyn Listener>>,
    last_checkpoint: Instant,
    resumed: bool,
    _lock: RunLock,
}

/// The name of the evaluation's file in the run's folder.
pub const EVALUATION: &str = "evaluation.json";

/// The name of the environment's file in the run's folder.
pub const ENVIRONMENT: &str = "environment.json";

impl Trainer {
    /// A new training in the folder `run`.
    ///
    /// # Errors
    /// Data that cannot be opened, a network that does not fit them, a device that is not there.
    pub fn start(config: Config, run: RunFolder, listeners: Vec<Box<dyn Listener>>) -> Result<Self> {
        let trainer = Trainer::build(config, run, listeners)?;
        trainer.run.write_json(TASK, &trainer.data.task)?;
        trainer.run.write_json(ENVIRONMENT, &of_this_process(trainer.device))?;
        Ok(trainer)
    }

    /// Goes on with the run in the folder `run`, its configuration changed by `overrides`.
    ///
    /// # Errors
    /// As [`Trainer::start`]; a checkpoint that is missing, damaged or of another network.
    pub fn resume(run: RunFolder, overrides: &[String], listeners: Vec<Box<dyn Listener>>) -> Result<Self> {
        let config = Config::read(&run.file("config.toml"), overrides)?;
        let path = run.checkpoint(Which::Last);
        ensure!(
            path.exists(),
            "{} has no checkpoint yet: nothing is lost by `tks train {}`",
            run.path().display(),
            run.file("config.toml").display()
        );
        let checkpoint = Checkpoint::read(&path)?;
        let mut trainer = Trainer::build(config, run, listeners)?;
        trainer.restore(&checkpoint).with_context(|| format!("{} does not fit the run", path.display()))?;
        trainer.resumed = true;
        trainer.run.rewind(trainer.position.epoch, trainer.position.batch)?;
        if !overrides.is_empty() {
            let text = trainer.config.to_toml()?;
            tks_data::whole_file::write(&trainer.run.file("config.toml"), text.as_bytes())?;
        }
        Ok(trainer)
    }

    fn build(config: Config, run: RunFolder, listeners: Vec<Box<dyn Listener>>) -> Result<Self> {
        let lock = run.lock()?;
        let device = config.hardware.prepare()?;
        let data = Data::open(&config)?;
        let network = build_network(&config, &data.task, device)?;
        let tensors = network.named_tensors();
        let ema = config.training.ema_decay.map(|decay| Ema::new(decay, tensors)).transpose()?;
        Ok(Trainer {
            optimizer: Optimizer::new(&config.optimizer, tensors)?,
            ema,
            watch: LayerWatch::new(config.training.warn_after),
            config,
            run,
            device,
            data,
            network,
            position: Position::default(),
            listeners,
            last_checkpoint: Instant::now(),
            resumed: false,
            _lock: lock,
        })
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        load_tensors(&self.network, checkpoint, "network")?;
        self.optimizer.restore(checkpoint.position.steps, |name| {
            let found = checkpoint.tensors.get(&format!("optimizer.{name}"));
            let found =
                found.with_context(|| format!("the optimiser's `{name}` is missing: was it another one?"))?;
            Ok(found.shallow_clone())
        })?;
        if let Some(decay) = self.config.training.ema_decay {
            let mut average = Vec::new();
            for (name, own) in self.network.named_tensors() {
                // A run that only now begins to average begins with its weights.
                let saved = checkpoint.tensors.get(&format!("ema.{name}")).unwrap_or(own);
                average.push((name.clone(), saved.f_to_device(self.device)?));
            }
            self.ema = Some(Ema::new(decay, &average)?);
        }
        self.position = checkpoint.position.clone();
        Ok(())
    }

    fn tell(&mut self, message: &Message) -> Result<()> {
        self.listeners.iter_mut().try_for_each(|listener| listener.hear(message))
    }

    /// Trains to the end, or until somebody asks to stop.
    ///
    /// # Errors
    /// A loss that is not finite, a sample that cannot be read, a disk that is full: the last checkpoint is whole, and
    /// the error says how to go on.
    pub fn fit(mut self, stop: &Stop) -> Result<Outcome> {
        let epochs = self.config.training.epochs;
        if self.resumed && self.position.epoch >= epochs {
            bail!(
                "the run in {} has had its {epochs} epochs; `--set training.epochs=...` gives it more",
                self.run.path().display()
            );
        }
        self.announce()?;
        if !self.resumed {
            self.save(Which::Last)?;
        }
        let mut early = false;
        while self.position.epoch < epochs && !early {
            if !self.train_epoch(stop)? {
                self.save(Which::Last)?;
                let run = self.run.path().display().to_string();
                let (epochs, batches) = (self.position.epoch, self.position.batch);
                self.tell(&Message::Stopped { run, epochs, batches })?;
                return Ok(Outcome::Stopped);
            }
            early = self.end_epoch()?;
        }
        self.finish(early)
    }

    fn announce(&mut self) -> Result<()> {
        let message = Message::Start {
            run: self.run.path().display().to_string(),
            data: self.data.task.data.clone(),
            train_samples: self.data.train.dataset().len(),
            batches: self.data.train.batches(),
            test_samples: self.data.test.len(),
            network: architecture_name(&self.config.network),
            parameters: self.network.summary().parameters(),
            loss: self.config.loss.name().into(),
            time_steps: self.data.task.time_steps,
            device: device_name(self.device),
            threads: usize::try_from(tch::get_num_threads()).unwrap_or(1),
            resumed: self.resumed.then_some((self.position.epoch, self.position.batch)),
        };
        self.tell(&message)?;
        for text in std::mem::take(&mut self.data.warnings) {
            self.tell(&Message::Warning { text })?;
        }
        self.run.write_json("network.json", self.network.summary())?;
        let estimate = self.estimate()?;
        if estimate.is_too_large() {
            let text = "this will hardly fit into memory: a smaller `training.batch_size` (with `training.accumulation` \
                        for the same steps), `execution.checkpoint_blocks = true` or fewer `time_steps` take less";
            self.tell(&Message::Warning { text: text.into() })?;
        }
        self.tell(&Message::Estimate(estimate))
    }

    /// What follows an epoch's last batch; whether to end early.
    fn end_epoch(&mut self) -> Result<bool> {
        let (epoch, epochs) = (self.position.epoch, self.config.training.epochs);
        let batches = self.data.train.batches() as f64;
        let lr = self.lr(epoch as f64 + (batches - 1.0) / batches);
        let mut record = self.position.meters.record(epoch + 1, lr);
        self.position.seconds += self.position.meters.seconds;
        self.position.meters = Default::default();
        self.position.epoch += 1;
        self.position.batch = 0;

        let mut is_best = false;
        if (epoch + 1).is_multiple_of(self.config.evaluation.every_epochs) || epoch + 1 == epochs {
            let evaluation = self.evaluate_average()?;
            record.test_loss = Some(evaluation.loss);
            record.test_accuracy = Some(evaluation.accuracy());
            record.accuracy_by_steps = evaluation.accuracy_by_steps.clone();
            is_best = self.position.best.is_none_or(|best| evaluation.accuracy() > best.accuracy);
            if is_best {
                self.position.best = Some(Best { epoch, accuracy: evaluation.accuracy() });
            }
        }
        // The record first: a checkpoint that is ahead of it would leave a gap in the tables.
        self.tell(&Message::Epoch(record))?;
        self.save(Which::Last)?;
        if is_best {
            self.save(Which::Best)?;
        }
        let waited = self.position.best.map_or(0, |best| epoch - best.epoch);
        Ok(self.config.training.patience.is_some_and(|patience| waited >= patience))
    }

    /// Evaluates the moving average where there is one, else the weights.
    fn evaluate_average(&mut self) -> Result<Evaluation> {
        if let Some(ema) = &mut self.ema {
            ema.swap(self.network.named_tensors())?;
        }
        let evaluation = self.evaluate_weights();
        if let Some(ema) = &mut self.ema {
            ema.swap(self.network.named_tensors())?;
        }
        evaluation
    }

    fn evaluate_weights(&mut self) -> Result<Evaluation> {
        let Trainer { network, data, config, listeners, .. } = self;
        let Task { classes, time_steps, .. } = &data.task;
        evaluate(network, &data.test_loader()?, classes, *time_steps, &config.execution, |batch, batches| {
            listeners.iter_mut().try_for_each(|listener| listener.hear(&Message::Testing { batch, batches }))
        })
    }

    /// Writes a checkpoint of this moment.
    fn save(&mut self, which: Which) -> Result<()> {
        let path = self.run.checkpoint(which);
        let written = self.write_checkpoint(&path);
        self.last_checkpoint = Instant::now();
        written.with_context(|| {
            format!(
                "the checkpoint was not written; that of before is whole, and `tks resume {}` goes on from it",
                self.run.path().display()
            )
        })
    }

    fn write_checkpoint(&self, path: &std::path::Path) -> Result<()> {
        let prefixed = |prefix: &str, tensors: &[(String, Tensor)]| -> Vec<(String, Tensor)> {
            tensors
                .iter()
                .map(|(name, tensor)| (format!("{prefix}.{name}"), tensor.shallow_clone()))
                .collect()
        };
        let mut tensors = prefixed("network", self.network.named_tensors());
        tensors.extend(prefixed("optimizer", &self.optimizer.state()));
        if let Some(ema) = &self.ema {
            tensors.extend(prefixed("ema", ema.tensors()));
        }
        let position = Position { steps: self.optimizer.steps(), ..self.position.clone() };
        Checkpoint::write(path, &position, &tensors)
    }

    fn finish(mut self, early: bool) -> Result<Outcome> {
        let best = self.run.checkpoint(Which::Best);
        if best.exists() {
            load_weights(&self.network, &Checkpoint::read(&best)?)?;
        }
        let evaluation = self.evaluate_weights()?;
        self.run.write_json(EVALUATION, &evaluation)?;
        let report = match self.config.output.report {
            true => {
                let page = crate::report::write(
                    &self.run,
                    &self.network,
                    &self.data,
                    &self.config,
                    &evaluation,
                    &[],
                )?;
                Some(page.display().to_string())
            }
            false => None,
        };
        let message = Message::Finished {
            run: self.run.path().display().to_string(),
            best: self.position.best.map(|best| (best.accuracy, best.epoch + 1)),
            test_accuracy: evaluation.accuracy_by_steps.clone(),
            seconds: self.position.seconds,
            early,
            report,
        };
        self.tell(&message)?;
        Ok(Outcome::Finished(Box::new(evaluation)))
    }
}

/// The network of a configuration, with the input and the classes of its data; its weights are those of its seed.
///
/// # Errors
/// A network that does not fit the data.
pub fn build_network(config: &Config, task: &Task, device: Device) -> Result<Network> {
    let network = NetworkConfig { classes: task.classes.len(), ..config.network.clone() };
    tch::manual_seed(config.seed as i64);
    let store = nn::VarStore::new(device);
    Network::new(&store.root(), &network, task.input).context("`network` does not fit the data")
}

/// The architecture's name in configurations.
pub fn architecture_name(network: &NetworkConfig) -> String {
    let value = serde_json::to_value(network.architecture).unwrap_or_default();
    value.as_str().unwrap_or("network").to_string()
}

/// Gives a network the weights to be evaluated of a checkpoint: the moving average where there is one.
///
/// # Errors
/// A checkpoint of another network.
pub fn load_weights(network: &Network, checkpoint: &Checkpoint) -> Result<()> {
    let has_average = checkpoint.of("ema").next().is_some();
    load_tensors(network, checkpoint, if has_average { "ema" } else { "network" })
}

fn load_tensors(network: &Network, checkpoint: &Checkpoint, prefix: &str) -> Result<()> {
    let mut surplus: std::collections::BTreeSet<&str> = checkpoint.of(prefix).map(|(name, _)| name).collect();
    for (name, tensor) in network.named_tensors() {
        surplus.remove(name.as_str());
        let saved = checkpoint.tensors.get(&format!("{prefix}.{name}"));
        let saved = saved.with_context(|| format!("it is of another network: `{name}` is missing"))?;
        ensure!(
            saved.size() == tensor.size(),
            "it is of another network: `{name}` has the shape {:?} there, {:?} in the configuration's",
            saved.size(),
            tensor.size()
        );
        tch::no_grad(|| tensor.shallow_clone().f_copy_(saved))?;
    }
    ensure!(
        surplus.is_empty(),
        "it is of another network: it holds {}, which the configuration's does not have",
        surplus.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}
