//! The training: epochs, checkpoints, completion.

mod batch;
mod checks;
mod save;
mod trial;

use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use tch::{Device, nn};
use tks_data::whole_file;
use tks_models::{NetworkConfig, SpikingModel};
use tks_report::{Environment, EventWriter};

use crate::basis::Basis;
use crate::best::BestNetwork;
use crate::checkpoint::{Best, Checkpoint, CheckpointKind, Header, Position};
use crate::config::{Config, ConfigError};
use crate::data::{Data, Task};
use crate::ema::Ema;
use crate::environment::{device_name, of_this_process};
use crate::evaluation::{Evaluation, evaluate};
use crate::health::{Health, few_steps};
use crate::message::{Listener, Message};
use crate::optimizer::Optimizer;
use crate::run_folder::{CONFIG, NETWORK, RunFolder, RunLock, TASK};
pub use crate::run_folder::{ENVIRONMENT, EVALUATION};
use crate::run_state::{Plan, RunState};
use crate::stop::StopFlag;
use crate::watch::LayerWatch;
use checks::check_batches;
use save::StepStart;

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was completed, or ended because the accuracy did not improve.
    Finished(Box<Evaluation>),
    /// A stop was requested, and it has saved its state.
    Stopped,
}

/// A training of a new or resumed run.
pub struct Trainer {
    config: Config,
    run: RunFolder,
    device: Device,
    data: Data,
    network: Box<dyn SpikingModel>,
    optimizer: Optimizer,
    ema: Option<Ema>,
    state: RunState,
    position: Position,
    basis: Basis,
    step_start: StepStart,
    /// Whether a step was made since the newest checkpoint.
    went_on: bool,
    watch: LayerWatch,
    health: Health,
    listeners: Vec<Box<dyn Listener>>,
    /// Warnings to report after the training has been announced.
    warnings: Vec<String>,
    last_checkpoint: Instant,
    _lock: RunLock,
}

impl fmt::Debug for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trainer { config, run, device, data, state, .. } = self;
        f.debug_struct("Trainer")
            .field("config", config)
            .field("run", run)
            .field("device", device)
            .field("data", data)
            .field("state", state)
            .finish_non_exhaustive()
    }
}

impl Trainer {
    /// Starts a new training in the folder `run`.
    ///
    /// # Errors
    /// Data that cannot be opened, a network that does not fit them, a device that is not present.
    pub fn start(config: Config, run: RunFolder, listeners: Vec<Box<dyn Listener>>) -> Result<Self> {
        let lock = run.lock()?;
        let trainer = Trainer::build(config, run, listeners, lock)?;
        trainer.describe()?;
        Ok(trainer)
    }

    /// Resumes the run in the folder `run`, with its configuration changed by `overrides`, at any point from
    /// its start to its last evaluation.
    ///
    /// # Errors
    /// As [`Trainer::start`]; a checkpoint that is missing, damaged or of another network.
    pub fn resume(run: RunFolder, overrides: &[String], listeners: Vec<Box<dyn Listener>>) -> Result<Self> {
        Trainer::resume_from(run, CheckpointKind::Last, overrides, listeners)
    }

    /// Like [`Trainer::resume`], from a checkpoint other than the newest, which is discarded.
    ///
    /// # Errors
    /// As [`Trainer::resume`].
    pub fn resume_from(
        run: RunFolder,
        which: CheckpointKind,
        overrides: &[String],
        listeners: Vec<Box<dyn Listener>>,
    ) -> Result<Self> {
        let lock = run.lock()?;
        let config = run.config_with(overrides)?;
        let mut warnings = run.set_folders_aside()?;
        warnings.extend(run.config_warning()?);
        let [last, path] = [CheckpointKind::Last, which].map(|which| run.checkpoint(which));
        let is_created = which == CheckpointKind::Last && !path.exists();
        if is_created {
            let best = run.checkpoint(CheckpointKind::Best);
            ensure!(
                !best.exists(),
                "{} is not there; `tks resume {} --checkpoint best` goes on from the best epoch",
                path.display(),
                run.path().display()
            );
        }
        let checkpoint = if is_created { None } else { Some(read_to_resume(&run, &path)?) };
        let mut trainer = Trainer::build(config, run, listeners, lock)?;
        trainer.warnings = warnings;
        match &checkpoint {
            Some(checkpoint) => {
                let fits = trainer.restore(checkpoint);
                fits.with_context(|| format!("{} does not fit the run", path.display()))?;
            }
            None => trainer.describe()?,
        }
        if path != last {
            whole_file::copy(&path, &last)?;
            whole_file::remove(&trainer.run.checkpoint(CheckpointKind::Previous))?;
        }
        if !overrides.is_empty() {
            trainer.run.write_config(&trainer.config)?;
        }
        trainer.recover(checkpoint.is_some())?;
        Ok(trainer)
    }

    fn build(
        config: Config,
        run: RunFolder,
        listeners: Vec<Box<dyn Listener>>,
        lock: RunLock,
    ) -> Result<Self> {
        config.data.check_apart()?;
        let device = config.hardware.prepare()?;
        // A resumed run already knows its classes. A damaged file is set aside later.
        let known: Option<Task> = run.read_json(TASK).unwrap_or_default();
        let data = Data::open_for(&config, known.as_ref())?;
        let network = build_network(&config, &data.task, device)?;
        check_batches(&config, &data, network.as_ref())?;
        let tensors = network.named_tensors();
        let ema = config.training.ema_decay.map(|decay| Ema::new(decay, tensors)).transpose()?;
        Ok(Trainer {
            optimizer: Optimizer::new(&config.optimizer, tensors)?,
            ema,
            watch: LayerWatch::new(config.training.warn_after),
            step_start: StepStart::new(tensors)?,
            basis: Basis::new(&config, &data, device),
            health: Health::default(),
            config,
            run,
            device,
            data,
            network,
            state: RunState::Created,
            position: Position::default(),
            went_on: false,
            listeners,
            warnings: Vec::new(),
            last_checkpoint: Instant::now(),
            _lock: lock,
        })
    }

    /// Writes the task and the environment of the run.
    fn describe(&self) -> Result<()> {
        self.run.write_json(TASK, &self.data.task)?;
        self.run.write_json(ENVIRONMENT, &of_this_process(self.device))
    }

    /// Makes the run's other files consistent with the checkpoint from which it resumes, and recreates
    /// damaged ones.
    fn recover(&mut self, has_checkpoint: bool) -> Result<()> {
        if has_checkpoint {
            let last = Header::read(&self.run.checkpoint(CheckpointKind::Last))?;
            let best = BestNetwork::find(&self.run, &last);
            self.warnings.extend(best.recover(&self.run, &mut self.position.best)?);
        }
        self.warnings.extend(self.run.rewind(self.position.epoch, self.position.batch)?);
        let (task, damage) = self.run.read_or_set_aside::<Task>(TASK)?;
        self.warnings.extend(damage);
        if task.is_none() {
            self.run.write_json(TASK, &self.data.task)?;
        }
        let (environment, damage) = self.run.read_or_set_aside::<Environment>(ENVIRONMENT)?;
        self.warnings.extend(damage);
        if environment.is_none() {
            self.run.write_json(ENVIRONMENT, &of_this_process(self.device))?;
        }
        self.warnings.extend(self.run.read_or_set_aside::<Evaluation>(EVALUATION)?.1);
        let tensorboard = self.run.file("tensorboard");
        if tensorboard.is_dir()
            && let Some(aside) = EventWriter::repair(&tensorboard)?
        {
            let text = format!("the newest file in {} is damaged", tensorboard.display());
            self.warnings
                .push(format!("{text}: its sound part stays, the whole is set aside as {}", aside.display()));
        }
        Ok(())
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        load_tensors(self.network.as_ref(), checkpoint, "network")?;
        self.optimizer.restore(checkpoint.position.steps, |name| {
            let found = checkpoint.tensors.get(&format!("optimizer.{name}"));
            let found =
                found.with_context(|| format!("the optimiser's `{name}` is missing: was it another one?"))?;
            Ok(found.shallow_clone())
        })?;
        if let Some(decay) = self.config.training.ema_decay {
            let mut average = Vec::new();
            for (name, own) in self.network.named_tensors() {
                // A run that only now starts averaging starts with its weights.
                let saved = checkpoint.tensors.get(&format!("ema.{name}")).unwrap_or(own);
                average.push((name.clone(), saved.f_to_device(self.device)?));
            }
            self.ema = Some(Ema::new(decay, &average)?);
        }
        let (batch, batches) = (checkpoint.position.batch, self.data.train.batches());
        let accumulation = self.config.training.accumulation;
        ensure!(
            batch == 0 || (batch < batches && batch.is_multiple_of(accumulation)),
            "it is of the middle of an epoch, after batch {batch}, but an epoch has {batches} batches now and \
             {accumulation} make a step; go on with the data, `training.batch_size` and `training.accumulation` of \
             before, or from the best epoch with `--checkpoint best`"
        );
        self.position = checkpoint.position.clone();
        self.state = checkpoint.state.resumed(self.position.progress(), self.plan());
        self.warnings.extend(checkpoint.basis.changes(&self.basis));
        Ok(())
    }

    fn plan(&self) -> Plan {
        let epochs = self.config.training.epochs;
        let warmup = self.config.schedule.warmup(epochs).ceil() as usize;
        Plan { epochs, patience: self.config.training.patience_epochs(), warmup }
    }

    fn tell(&mut self, message: &Message) -> Result<()> {
        self.listeners.iter_mut().try_for_each(|listener| listener.hear(message))
    }

    /// Trains to the end, or until a stop is requested.
    ///
    /// # Errors
    /// A non-finite loss, a sample that cannot be read, a full disk. The last checkpoint is intact, and the
    /// error explains how to continue.
    pub fn fit(mut self, stop: &StopFlag) -> Result<Outcome> {
        if let RunState::Finished { early } = self.state {
            if let Some(evaluation) = self.results()? {
                return self.had_ended(early, evaluation);
            }
            self.state = RunState::Finishing { early };
        }
        self.announce()?;
        match self.state {
            RunState::Created => {
                self.state = RunState::Training;
                self.save(false)?;
            }
            // The one of an earlier end does not belong to the future network.
            RunState::Training => whole_file::remove(&self.run.file(EVALUATION))?,
            RunState::Finishing { .. } | RunState::Finished { .. } => {}
        }
        while self.state == RunState::Training {
            if !self.train_epoch(stop)? {
                self.save(false)?;
                let run = self.run.path().display().to_string();
                let (epochs, batches) = (self.position.epoch, self.position.batch);
                self.tell(&Message::Stopped { run, epochs, batches })?;
                return Ok(Outcome::Stopped);
            }
            self.end_epoch()?;
        }
        self.finish()
    }

    /// The results of a completed run; `None` if some of them are missing.
    fn results(&self) -> Result<Option<Evaluation>> {
        let has_report = !self.config.output.report || self.page().exists();
        Ok(self.run.read_json(EVALUATION)?.filter(|_| has_report))
    }

    fn page(&self) -> std::path::PathBuf {
        self.run.file("report").join("index.html")
    }

    /// Reports the end of a completed run again.
    fn had_ended(mut self, early: bool, evaluation: Evaluation) -> Result<Outcome> {
        let more = match (early, self.config.training.patience) {
            (true, Some(patience)) => format!("`--set training.patience=...` above {patience}"),
            _ => format!("`--set training.epochs=...` above {}", self.position.epoch),
        };
        self.warnings.push(format!("the run had ended already: nothing is left to do; {more} trains on"));
        self.tell_warnings()?;
        let report = Some(self.page()).filter(|page| page.exists());
        self.tell_end(early, &evaluation, report)?;
        Ok(Outcome::Finished(Box::new(evaluation)))
    }

    fn tell_warnings(&mut self) -> Result<()> {
        for text in std::mem::take(&mut self.warnings) {
            self.tell(&Message::Warning { text })?;
        }
        Ok(())
    }

    fn announce(&mut self) -> Result<()> {
        let message = Message::Start {
            run: self.run.path().display().to_string(),
            data: self.data.task.data.clone(),
            train_samples: self.data.train.dataset().len(),
            batches: self.data.train.batches(),
            test_samples: self.data.test.len(),
            network: self.config.network.architecture.name(),
            parameters: self.network.summary().parameters(),
            loss: self.config.loss.name(),
            time_steps: self.data.task.time_steps,
            device: device_name(self.device),
            threads: usize::try_from(tch::get_num_threads()).unwrap_or(1),
            resumed: (self.state != RunState::Created).then_some((self.position.epoch, self.position.batch)),
        };
        self.tell(&message)?;
        let of_data = std::mem::take(&mut self.data.warnings);
        self.warnings.extend(of_data);
        self.tell_warnings()?;
        self.run.write_json(NETWORK, self.network.summary())?;
        if matches!(self.state, RunState::Finishing { .. }) {
            return Ok(());
        }
        let estimate = self.estimate()?;
        if estimate.is_too_large() {
            let text = "this will hardly fit into memory: a smaller `training.batch_size` (with `training.accumulation` \
                        for the same steps), `execution.checkpoint_blocks = true` or fewer `time_steps` take less";
            self.tell(&Message::Warning { text: text.into() })?;
        }
        self.tell(&Message::Estimate(estimate))?;
        let samples = self.data.train.config().sampler.epoch_len(self.data.train.dataset().len());
        match few_steps(&self.config, samples, self.steps_per_epoch()) {
            Some(text) => self.tell(&Message::Warning { text }),
            None => Ok(()),
        }
    }

    /// Completes an epoch after its last batch.
    fn end_epoch(&mut self) -> Result<()> {
        let (epoch, epochs) = (self.position.epoch, self.config.training.epochs);
        // The evaluation would name a weight, but neither the epoch nor a remedy.
        self.finite_tensors()?;
        let batches = self.data.train.batches() as f64;
        let lr = self.lr(epoch as f64 + (batches - 1.0) / batches);
        let mut record = self.position.meters.record(epoch + 1, lr);
        self.position.seconds += self.position.meters.seconds;
        self.position.meters = Default::default();
        self.position.epoch += 1;
        self.position.batch = 0;

        let mut is_best = false;
        if (epoch + 1).is_multiple_of(self.config.evaluation.every_epochs) || epoch + 1 == epochs {
            let (evaluation, warnings) = self.evaluate_average()?;
            record.test_loss = Some(evaluation.loss);
            record.test_accuracy = Some(evaluation.accuracy());
            record.accuracy_by_steps = evaluation.accuracy_by_steps.clone();
            is_best = self.position.best.as_ref().is_none_or(|best| evaluation.accuracy() > best.accuracy);
            if is_best {
                // Its digest is known once the checkpoint is written.
                self.position.best =
                    Some(Best { epoch, accuracy: evaluation.accuracy(), digest: String::new() });
            }
            warnings.into_iter().try_for_each(|text| self.tell(&Message::Warning { text }))?;
        }
        if let Some(text) = self.data.left_out() {
            self.tell(&Message::Warning { text })?;
        }
        // The record comes first: a checkpoint ahead of it would leave a gap in the tables.
        self.tell(&Message::Epoch(record))?;
        self.state = RunState::after_epoch(self.position.progress(), self.plan());
        self.save(is_best)
    }

    /// Evaluates the moving average if there is one, else the weights; also returns the resulting warnings.
    fn evaluate_average(&mut self) -> Result<(Evaluation, Vec<String>)> {
        if let Some(ema) = &mut self.ema {
            ema.swap(self.network.named_tensors())?;
        }
        let evaluation = self.evaluate_weights().and_then(|evaluation| {
            let warnings = self.signs_in(&evaluation)?;
            Ok((evaluation, warnings))
        });
        if let Some(ema) = &mut self.ema {
            ema.swap(self.network.named_tensors())?;
        }
        evaluation
    }

    fn evaluate_weights(&mut self) -> Result<Evaluation> {
        let Trainer { network, data, config, listeners, .. } = self;
        let Task { classes, time_steps, .. } = &data.task;
        evaluate(
            network.as_ref(),
            &data.test_loader()?,
            classes,
            *time_steps,
            &config.execution,
            |batch, batches| {
                listeners
                    .iter_mut()
                    .try_for_each(|listener| listener.hear(&Message::Testing { batch, batches }))
            },
        )
    }

    /// Evaluates the best epoch's network and writes the report. The checkpoint marks the run as finished
    /// when everything is written.
    fn finish(mut self) -> Result<Outcome> {
        let early = self.state == RunState::Finishing { early: true };
        if self.position.best.is_some() {
            load_weights(
                self.network.as_ref(),
                &Checkpoint::read(&self.run.checkpoint(CheckpointKind::Best))?,
            )?;
        } else if let Some(average) = &mut self.ema {
            average.swap(self.network.named_tensors())?;
        }
        let evaluation = self.evaluate_weights()?;
        self.run.write_json(EVALUATION, &evaluation)?;
        let report = if self.config.output.report {
            Some(crate::report::write(
                &self.run,
                self.network.as_ref(),
                &self.data,
                &self.config,
                &evaluation,
                &[],
            )?)
        } else {
            None
        };
        Checkpoint::set_state(&self.run.checkpoint(CheckpointKind::Last), RunState::Finished { early })?;
        whole_file::remove(&self.run.checkpoint(CheckpointKind::Previous))?;
        self.tell_end(early, &evaluation, report)?;
        Ok(Outcome::Finished(Box::new(evaluation)))
    }

    fn tell_end(
        &mut self,
        early: bool,
        evaluation: &Evaluation,
        report: Option<std::path::PathBuf>,
    ) -> Result<()> {
        self.tell(&Message::Finished {
            run: self.run.path().display().to_string(),
            best: self.position.best.as_ref().map(|best| (best.accuracy, best.epoch + 1)),
            test_accuracy: evaluation.accuracy_by_steps.clone(),
            seconds: self.position.seconds,
            early,
            report: report.map(|page| page.display().to_string()),
        })
    }
}

/// Reads the checkpoint from which to resume; an error names an alternative one.
fn read_to_resume(run: &RunFolder, path: &std::path::Path) -> Result<Checkpoint> {
    Checkpoint::read(path).map_err(|error| {
        let best = run.checkpoint(CheckpointKind::Best);
        let run = run.path().display();
        if best != path && Checkpoint::read(&best).is_ok() {
            anyhow!("{error:#}; `tks resume {run} --checkpoint best` goes on from the best epoch")
        } else {
            anyhow!("{error:#}; `tks train {run}/{CONFIG}` begins again")
        }
    })
}

/// Builds the network of a configuration, with the input and classes of its data and weights initialised from
/// its seed.
///
/// # Errors
/// A network that does not fit the data.
pub fn build_network(config: &Config, task: &Task, device: Device) -> Result<Box<dyn SpikingModel>> {
    let classes = task.classes.len();
    if let Some(stated) = config.given_classes()
        && stated != classes
    {
        let problem =
            format!("is {stated}, but `{}` has {classes}: leave it out, it follows the data", task.data);
        return Err(ConfigError::new("network.classes", problem).into());
    }
    let network = NetworkConfig { classes, ..config.network.clone() };
    tch::manual_seed(config.seed as i64);
    let store = nn::VarStore::new(device);
    network.build(&store.root(), task.input).context("`network` does not fit the data")
}

/// Loads into a network the weights of a checkpoint to evaluate: the moving average if there is one.
///
/// # Errors
/// A checkpoint of another network.
pub fn load_weights(network: &dyn SpikingModel, checkpoint: &Checkpoint) -> Result<()> {
    let has_average = checkpoint.of("ema").next().is_some();
    load_tensors(network, checkpoint, if has_average { "ema" } else { "network" })
}

fn load_tensors(network: &dyn SpikingModel, checkpoint: &Checkpoint, prefix: &str) -> Result<()> {
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
