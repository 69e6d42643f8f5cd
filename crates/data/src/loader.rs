//! The loader: batches of a data set, prepared by worker threads, the same for any number of them.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Pool};
use crate::dataset::{Dataset, Element, SampleContext, SampleShape, SampleSlot};
use crate::error::{BoxError, DataError};
use crate::rng::{SampleRng, sample_rng};
use crate::sampler::{LastBatch, Plan, Sampler, Shard};

/// Settings of a [`Loader`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// Number of samples in a batch of this rank, at least 1.
    pub batch_size: usize,
    /// Number of loader threads; with 0, batches are loaded in the thread that requests them.
    pub workers: usize,
    /// Number of batches a worker may be ahead, at least 1: at most `workers * prefetch` are in progress or
    /// ready.
    pub prefetch: usize,
    /// The samples of an epoch and their order.
    pub sampler: Sampler,
    /// How to treat samples that do not fill a batch.
    pub last_batch: LastBatch,
    /// Determines the order and every random choice.
    pub seed: u64,
    /// This process among those of a distributed training run.
    pub shard: Shard,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        LoaderConfig {
            batch_size: 32,
            workers: 2,
            prefetch: 2,
            sampler: Sampler::default(),
            last_batch: LastBatch::default(),
            seed: 0,
            shard: Shard::default(),
        }
    }
}

impl LoaderConfig {
    /// Settings for evaluation: every sample once, in the data set's order, with a smaller last batch if need
    /// be.
    pub fn evaluation(batch_size: usize, workers: usize) -> Self {
        LoaderConfig {
            batch_size,
            workers,
            sampler: Sampler::Sequential,
            last_batch: LastBatch::Keep,
            ..LoaderConfig::default()
        }
    }

    /// Checks that these settings suit a data set of `samples` samples.
    ///
    /// # Errors
    /// [`DataError::Setting`] for the first setting that does not.
    pub fn check(&self, samples: usize) -> Result<(), DataError> {
        let wrong = |field, message: String| Err(DataError::Setting { field, message });
        if samples == 0 {
            return wrong("dataset", "it has no samples".into());
        }
        if u32::try_from(samples).is_err() {
            return wrong("dataset", format!("it has {samples} samples, more than 2^32 - 1"));
        }
        if self.batch_size == 0 {
            return wrong("batch_size", "it should be at least 1".into());
        }
        if self.prefetch == 0 {
            return wrong("prefetch", "it should be at least 1".into());
        }
        if self.workers > 1024 {
            return wrong("workers", format!("{} threads are more than 1024", self.workers));
        }
        let Shard { rank, world_size } = self.shard;
        if rank >= world_size {
            return wrong("shard", format!("rank {rank} should be below the world size {world_size}"));
        }
        self.sampler.check(samples)?;
        let epoch = self.sampler.epoch_len(samples);
        if self.last_batch == LastBatch::Drop && epoch / world_size / self.batch_size == 0 {
            return wrong(
                "batch_size",
                format!(
                    "{} is more than the {epoch} samples of an epoch{}, and `last_batch = \"drop\"` leaves out what does not fill a \
                     batch: make it smaller, or set `last_batch = \"keep\"`",
                    self.batch_size,
                    if world_size == 1 {
                        String::new()
                    } else {
                        format!(", shared by {world_size} processes")
                    }
                ),
            );
        }
        Ok(())
    }
}

/// An operation on each complete batch, run by the worker that loaded it, such as MixUp. All its random
/// choices come from the generator it is given, which belongs to the batch.
pub type BatchHook<E> = dyn Fn(&mut Batch<E>, &mut SampleRng) -> Result<(), BoxError> + Send + Sync;

/// Provides the batches of a data set, epoch by epoch.
///
/// Order and content depend on the seed, the epoch and the settings that define a batch, not on the number or
/// scheduling of the workers.
pub struct Loader<D: Dataset + ?Sized> {
    core: Arc<Core<D>>,
}

struct Core<D: Dataset + ?Sized> {
    config: LoaderConfig,
    shape: SampleShape,
    labels: Vec<u32>,
    classes: usize,
    pool: Arc<Pool<D::Element>>,
    hook: Option<Box<BatchHook<D::Element>>>,
    dataset: Arc<D>,
}

impl<D: Dataset + ?Sized> fmt::Debug for Loader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Core { config, shape, labels, classes, .. } = &*self.core;
        f.debug_struct("Loader")
            .field("config", config)
            .field("shape", shape)
            .field("samples", &labels.len())
            .field("classes", classes)
            .finish_non_exhaustive()
    }
}

impl<D: Dataset + ?Sized + 'static> Loader<D> {
    /// A loader of `dataset`.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a setting out of range, [`DataError::Label`] for the first sample whose
    /// label is not a class.
    pub fn new(dataset: Arc<D>, config: LoaderConfig) -> Result<Self, DataError> {
        Loader::build(dataset, config, None)
    }

    /// A loader of `dataset` whose batches are passed through `hook`.
    ///
    /// # Errors
    /// As [`Loader::new`].
    pub fn with_hook(
        dataset: Arc<D>,
        config: LoaderConfig,
        hook: impl Fn(&mut Batch<D::Element>, &mut SampleRng) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Result<Self, DataError> {
        Loader::build(dataset, config, Some(Box::new(hook)))
    }

    fn build(
        dataset: Arc<D>,
        config: LoaderConfig,
        hook: Option<Box<BatchHook<D::Element>>>,
    ) -> Result<Self, DataError> {
        config.check(dataset.len())?;
        let classes = dataset.classes();
        let label_of = |index| match dataset.label(index) {
            label if label < classes => Ok(label as u32),
            label => Err(DataError::Label { index, name: dataset.sample_name(index), label, classes }),
        };
        let labels = (0..dataset.len()).map(label_of).collect::<Result<_, _>>()?;
        let shape = dataset.shape();
        // Those prepared ahead, one in use and one about to be.
        let pool = Arc::new(Pool::new(config.workers * config.prefetch + 2));
        Ok(Loader { core: Arc::new(Core { config, shape, labels, classes, pool, hook, dataset }) })
    }

    /// The data set.
    pub fn dataset(&self) -> &Arc<D> {
        &self.core.dataset
    }

    /// The settings.
    pub fn config(&self) -> &LoaderConfig {
        &self.core.config
    }

    /// Number of batches in an epoch; the same for all ranks.
    pub fn batches(&self) -> usize {
        let config = &self.core.config;
        let samples = config.sampler.epoch_len(self.core.dataset.len());
        let (batch, world) = (config.batch_size, config.shard.world_size);
        match config.last_batch {
            LastBatch::Drop => samples / world / batch,
            LastBatch::Keep | LastBatch::Pad => samples.div_ceil(world).div_ceil(batch),
        }
    }

    /// The batches of an epoch, starting with the first.
    ///
    /// # Errors
    /// [`DataError::Io`] if a thread cannot be started.
    pub fn epoch(&self, epoch: u64) -> Result<Epoch<D>, DataError> {
        self.epoch_from(epoch, 0)
    }

    /// The batches of an epoch from number `first` on, to resume a run.
    ///
    /// # Errors
    /// [`DataError::Io`] if a thread cannot be started.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Result<Epoch<D>, DataError> {
        let core = &self.core;
        let samples = core.dataset.len();
        let config = &core.config;
        let order = config.sampler.order(samples, &core.labels, config.seed, epoch);
        let plan = Plan::new(order, samples, config.shard, config.batch_size, config.last_batch);
        let batches = plan.batches();
        let first = first.min(batches);
        let work = Arc::new(Work {
            core: Arc::clone(core),
            plan,
            epoch,
            batches,
            window: config.workers * config.prefetch,
            state: Mutex::new(State { next: first, wanted: first, ready: VecDeque::new(), stop: false }),
            may_claim: Condvar::new(),
            is_ready: Condvar::new(),
        });
        let mut running =
            Epoch { work, workers: Vec::new(), context: SampleContext::for_worker(), failed: false };
        for number in 0..config.workers.min(batches - first) {
            let work = Arc::clone(&running.work);
            let thread = std::thread::Builder::new()
                .name(format!("tks-loader-{number}"))
                .spawn(move || work.run())
                .map_err(|e| DataError::io("start a thread for", "the loader", e))?;
            running.workers.push(thread);
        }
        Ok(running)
    }
}

/// The batches of one epoch, in order. Dropping it stops its threads at any point.
pub struct Epoch<D: Dataset + ?Sized> {
    work: Arc<Work<D>>,
    workers: Vec<JoinHandle<()>>,
    context: SampleContext,
    failed: bool,
}

impl<D: Dataset + ?Sized> fmt::Debug for Epoch<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch")
            .field("epoch", &self.work.epoch)
            .field("batches", &self.work.batches)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// The state shared by the threads of one epoch.
struct Work<D: Dataset + ?Sized> {
    core: Arc<Core<D>>,
    plan: Plan,
    epoch: u64,
    batches: usize,
    /// Maximum number of batches in progress or ready.
    window: usize,
    state: Mutex<State<D::Element>>,
    may_claim: Condvar,
    is_ready: Condvar,
}

struct State<E: Element> {
    /// Number of the batch that the next free worker takes.
    next: usize,
    /// Number of the next batch to return.
    wanted: usize,
    /// Batches `wanted`, `wanted + 1`, ...; `None` while a worker is still loading it.
    ready: VecDeque<Option<Result<Batch<E>, DataError>>>,
    stop: bool,
}

impl<D: Dataset + ?Sized> Work<D> {
    fn lock(&self) -> MutexGuard<'_, State<D::Element>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker: it takes one lock to claim a batch and one to deliver it, none per sample.
    fn run(&self) {
        let mut context = SampleContext::for_worker();
        let mut state = self.lock();
        loop {
            if state.stop || state.next == self.batches {
                return;
            }
            if state.next >= state.wanted + self.window {
                state = self.may_claim.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let k = state.next;
            state.next += 1;
            state.ready.push_back(None);
            drop(state);
            let result = self.make(k, &mut context);
            state = self.lock();
            // Batches after a failed one are not requested.
            state.stop |= result.is_err();
            let place = k - state.wanted;
            state.ready[place] = Some(result);
            if place == 0 {
                self.is_ready.notify_one();
            }
        }
    }

    /// Loads batch `k`; a panic in the data set's code becomes an error.
    fn make(&self, k: usize, context: &mut SampleContext) -> Result<Batch<D::Element>, DataError> {
        let mut at = None;
        catch_unwind(AssertUnwindSafe(|| self.fill(k, context, &mut at))).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| text.to_string())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_string());
            let place = match at {
                Some(sample) => format!("sample {sample}"),
                None => format!("batch {k} of epoch {}, in its hook", self.epoch),
            };
            Err(DataError::Panic { place, message })
        })
    }

    fn fill(
        &self,
        k: usize,
        context: &mut SampleContext,
        at: &mut Option<usize>,
    ) -> Result<Batch<D::Element>, DataError> {
        let core = &*self.core;
        let (picks, valid) = self.plan.batch(k);
        let place = (self.epoch, k);
        let pool = Arc::clone(&core.pool);
        let mut batch = Batch::begin(pool.take(), &core.shape, picks.len(), core.classes, place, valid, pool);
        for (position, pick) in picks.iter().enumerate() {
            let index = pick.index as usize;
            *at = Some(index);
            context.begin(pick.rng(core.config.seed, self.epoch), self.epoch);
            let slot = SampleSlot::in_batch(batch.data(), &core.shape, picks.len(), position);
            core.dataset.load(index, context, slot).map_err(|source| DataError::Sample {
                index,
                name: core.dataset.sample_name(index),
                source,
            })?;
            batch.push(index, core.labels[index] as usize);
        }
        *at = None;
        if let Some(hook) = &core.hook {
            let Shard { rank, world_size } = core.config.shard;
            let number = (k * world_size + rank) as u64;
            // The sample generators use indices below 2^63, so no sample shares this generator.
            let mut rng = sample_rng(core.config.seed, self.epoch, number | (1 << 63));
            let refused = |source| DataError::Hook { epoch: self.epoch, batch: k, source };
            hook(&mut batch, &mut rng).map_err(refused)?;
            let inputs = batch.inputs();
            if !inputs.is_standard_layout() || inputs.shape() != core.shape.batch(picks.len()) {
                return Err(refused("it left inputs of another shape, or not contiguous".into()));
            }
        }
        Ok(batch)
    }
}

impl<D: Dataset + ?Sized> Epoch<D> {
    /// Number of batches in the whole epoch, including those before the first returned.
    pub fn batches(&self) -> usize {
        self.work.batches
    }

    fn end(&mut self) {
        self.work.lock().stop = true;
        self.work.may_claim.notify_all();
        for worker in self.workers.drain(..) {
            // Panics in the data set's code are caught where they happen, so nothing else ends a worker
            // early.
            let _ = worker.join();
        }
    }
}

impl<D: Dataset + ?Sized> Iterator for Epoch<D> {
    type Item = Result<Batch<D::Element>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let work = Arc::clone(&self.work);
        let mut state = work.lock();
        if state.wanted == work.batches {
            return None;
        }
        let result = if self.workers.is_empty() {
            let k = state.wanted;
            state.wanted += 1;
            drop(state);
            work.make(k, &mut self.context)
        } else {
            loop {
                if let Some(Some(_)) = state.ready.front() {
                    break;
                }
                state = work.is_ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let result = state.ready.pop_front().flatten().expect("seen above");
            state.wanted += 1;
            drop(state);
            work.may_claim.notify_one();
            result
        };
        if result.is_err() {
            self.failed = true;
            self.end();
        }
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.failed { 0 } else { self.work.batches - self.work.lock().wanted };
        (0, Some(left))
    }
}

impl<D: Dataset + ?Sized> Drop for Epoch<D> {
    fn drop(&mut self) {
        self.end();
    }
}
