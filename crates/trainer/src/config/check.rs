//! Checks that the values of a configuration are in range and consistent. Invalid values are refused, with
//! their keys, before any data are opened.

use anyhow::{Result, anyhow};
use tks_events::{EventError, recipe::Recipe as EventRecipe};
use tks_images::{ImageError, Recipe as ImageRecipe};
use tks_loss::LossError;
use tks_models::{Connect, ModelError, NetworkConfig};
use tks_neuron::NeuronError;

use super::{Config, ConfigError, OptimizerName, ScheduleConfig, ScheduleName};

/// Maximum number of time steps of a network.
pub const MAX_STEPS: usize = 1 << 16;

/// An error that states the value of `key` and its valid values.
pub(super) fn wrong(key: impl Into<String>, problem: impl Into<String>) -> anyhow::Error {
    ConfigError::new(key, problem).into()
}

/// Checks that `value` is in its range.
pub(super) fn require(holds: bool, key: &str, value: impl std::fmt::Display, allowed: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(wrong(key, format!("is {value}: it should be {allowed}"))) }
}

/// Checks that a count is from `least` to `most`.
pub(super) fn count(key: &str, value: usize, least: usize, most: usize) -> Result<()> {
    require((least..=most).contains(&value), key, value, &format!("{least} to {most}"))
}

/// Checks that a number on the command line, such as `--time-steps`, is from 1 to `most`.
///
/// # Errors
/// Names the flag and its valid values.
pub fn at_least_one(flag: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        Ok(())
    } else {
        Err(anyhow!("`{flag}` is {value}: it should be 1 to {most}"))
    }
}

impl Config {
    /// Checks every value, and the consistency of the values.
    ///
    /// # Errors
    /// [`ConfigError`] for the first invalid one.
    pub fn check(&self) -> Result<()> {
        let name = &self.name;
        let is_folder = !name.is_empty() && name.len() <= 200 && !name.contains(['/', '\\', '\0', '\n']);
        let shown = format!("\"{}\"", super::error::shortened(name).escape_debug());
        require(
            is_folder && !name.starts_with('.'),
            "name",
            shown,
            "the name of a folder: up to 200 letters, no slash, no dot at its start",
        )?;
        if let Some(steps) = self.time_steps {
            count("time_steps", steps, 1, MAX_STEPS)?;
        }
        self.data.check()?;
        if let Some(events) = &self.data.events {
            check_event_recipe(&events.recipe, self.time_steps)?;
            if let Some(mix) = &events.mix {
                mix.check().map_err(|error| of_events("data.events.mix", &error))?;
            }
        }
        if let Some(images) = &self.data.images {
            check_image_recipe(&images.recipe)?;
            if let Some(mix) = &images.mix {
                mix.check().map_err(|error| of_images("data.images.mix", &error))?;
            }
        }
        check_network(&self.network)?;
        self.loss.check().map_err(|error| match error {
            LossError::Config { key, value, expected } => {
                wrong(format!("loss.{key}"), format!("is {value}: it should be {expected}"))
            }
            other => other.into(),
        })?;
        self.optimizer.check()?;
        self.schedule.check()?;
        self.training.check()?;
        self.evaluation.check()?;
        self.hardware.check()?;
        self.check_schedule()
    }

    /// Checks the schedule against the training.
    fn check_schedule(&self) -> Result<()> {
        let ScheduleConfig { name, warmup_epochs, warmup_lr, min_lr, step_epochs, .. } = self.schedule;
        let epochs = self.training.epochs;
        let plural = if epochs == 1 { "epoch" } else { "epochs" };
        if name == ScheduleName::Step && step_epochs >= epochs as f64 {
            let problem = format!(
                "is {step_epochs}, but the training has {epochs} {plural} (`training.epochs`), so that it never steps: \
                 it should be below that"
            );
            return Err(wrong("schedule.step_epochs", problem));
        }
        let peak = self.optimizer.scaled_lr(self.training.samples_per_step());
        let peak_is = || match self.optimizer.lr_batch {
            0 => format!("the learning rate, {peak} (`optimizer.lr`)"),
            batch => format!(
                "the learning rate, {peak} (`optimizer.lr`, which is for a batch of {batch}: see \
                 `optimizer.lr_batch`)"
            ),
        };
        if let Some(warmup) = warmup_epochs.filter(|&warmup| warmup > epochs as f64) {
            let problem = format!(
                "is {warmup}, but the training has {epochs} {plural} (`training.epochs`): make it shorter, or leave it \
                 out, and it follows the training"
            );
            return Err(wrong("schedule.warmup_epochs", problem));
        }
        // Very small batches scale the learning rate below the defaults, which the user did not choose; this
        // is harmless.
        let usual = ScheduleConfig::default();
        if self.schedule.warmup(epochs) > 0.0 && warmup_lr > peak && warmup_lr != usual.warmup_lr {
            return Err(wrong("schedule.warmup_lr", format!("is {warmup_lr}, above {}", peak_is())));
        }
        let goes_down = matches!(name, ScheduleName::Cosine | ScheduleName::OneCycle);
        if goes_down && min_lr > peak && min_lr != usual.min_lr {
            return Err(wrong("schedule.min_lr", format!("is {min_lr}, above {}", peak_is())));
        }
        if self.optimizer.nesterov && self.optimizer.name != OptimizerName::Sgd {
            let problem = "is true, but only `optimizer.name = \"sgd\"` has it: choose that, or leave it out";
            return Err(wrong("optimizer.nesterov", problem));
        }
        Ok(())
    }
}

fn check_network(network: &NetworkConfig) -> Result<()> {
    network.check().map_err(|error| match error {
        ModelError::Config { field, problem } => match field.split_once('.') {
            Some((above, below)) if above.starts_with("layers") => {
                ConfigError::below(format!("network.{above}"), below, problem).into()
            }
            _ => wrong(format!("network.{field}"), problem),
        },
        ModelError::Neuron(NeuronError::OutOfRange { parameter, value, range }) => {
            let problem = format!("is {value}: it should be {range}");
            ConfigError::below("network.neuron", parameter, problem).into()
        }
        ModelError::Neuron(error) => wrong("network.neuron", format!("makes no sense: {error}")),
        other => anyhow!("`network`: {other}"),
    })?;
    if network.connect != Connect::Add && !network.architecture.plan().has_sew_blocks() {
        let problem = "is for SEW blocks, which this `network.architecture` does not have: leave it out";
        return Err(wrong("network.connect", problem));
    }
    Ok(())
}

/// The error for an invalid events option somewhere below `key`.
fn of_events(key: &str, error: &EventError) -> anyhow::Error {
    match error {
        EventError::Option { option, value, expected } => {
            ConfigError::below(key, *option, format!("is {value}: it should be {expected}")).into()
        }
        other => wrong(key, format!("makes no sense: {other}")),
    }
}

fn of_images(key: &str, error: &ImageError) -> anyhow::Error {
    match error {
        ImageError::Data(tks_data::DataError::Setting { field, message }) => {
            ConfigError::below(key, *field, format!("makes no sense: {message}")).into()
        }
        other => wrong(key, format!("makes no sense: {other}")),
    }
}

/// Checks each item of a list separately, so that the error includes its number.
fn each<T, E>(
    key: &str,
    items: &[T],
    check: impl Fn(&T) -> Result<(), E>,
    told: impl Fn(&str, &E) -> anyhow::Error,
) -> Result<()> {
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|error| told(&format!("{key}[{index}]"), &error))?;
    }
    Ok(())
}

fn check_event_recipe(recipe: &EventRecipe, time_steps: Option<usize>) -> Result<()> {
    use tks_events::augment::Augment;
    let below = |name: &str| format!("data.events.recipe.{name}");
    each(&below("filters"), &recipe.filters, tks_events::filter::Filter::check, of_events)?;
    each(&below("spatial"), &recipe.spatial, tks_events::spatial::Spatial::check, of_events)?;
    each(&below("event_augment"), &recipe.event_augment, Augment::check, of_events)?;
    each(&below("frame_augment"), &recipe.frame_augment, Augment::check, of_events)?;
    if let Some(index) = recipe.frame_augment.iter().position(|augment| !augment.works_on_frames()) {
        let key = below(&format!("frame_augment[{index}]"));
        return Err(wrong(key, "needs single events: put it into `data.events.recipe.event_augment`"));
    }
    recipe.slicing.check().map_err(|error| of_events(&below("slicing"), &error))?;
    recipe.representation.check().map_err(|error| of_events(&below("representation"), &error))?;
    if let Some(resize) = &recipe.resize {
        resize.check().map_err(|error| of_events(&below("resize"), &error))?;
    }
    if recipe.slicing.fixed_steps().is_none() && recipe.time_steps.is_none() {
        let hint = time_steps.map_or(String::new(), |steps| format!(" = {steps}"));
        let problem = format!(
            "makes as many frames as a recording is long: say how many the network takes by \
             `data.events.recipe.time_steps{hint}`"
        );
        return Err(wrong(below("slicing"), problem));
    }
    recipe.check().map_err(|error| of_events("data.events.recipe", &error))
}

fn check_image_recipe(recipe: &ImageRecipe) -> Result<()> {
    let key = "data.images.recipe.augment";
    each(key, &recipe.augment, tks_images::augment::Augment::check, of_images)?;
    recipe.check().map_err(|error| of_images("data.images.recipe", &error))
}
