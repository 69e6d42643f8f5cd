//! The division of a recording into frames: slices by time or by number of events.
//!
//! Every slice is a half-open interval of time, `[start_us, end_us)`, and hence of events, `[first, end)`.
//! The time grid starts at the first event unless `start_us` is given. By default, no event is lost; the
//! different behaviour of tonic and SpikingJelly can be selected by name.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::stream::Events;

/// Maximum number of slices of a recording.
pub const MAX_SLICES: usize = 1 << 20;

/// How a recording is divided into slices, one per frame.
///
/// With `N` events at times `t_0 <= ... <= t_{N-1}` and `D = t_{N-1} + 1 - t_0`:
///
/// ```
/// use tks_events::slicing::{Slicing, TimeEdges};
///
/// # #[derive(serde::Deserialize)] struct File { slicing: Slicing }
/// let file: File = toml::from_str("slicing = { time_bins = { bins = 10 } }")?;
/// assert_eq!(file.slicing, Slicing::time_bins(10));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Slicing {
    /// `bins` slices of equal duration (to within 1 us): slice `k` contains `e_k <= t < e_{k+1}` with `e_k =
    /// t_0 + ceil(k D / bins)`. The last slice ends just after the last event, so that none is lost.
    TimeBins {
        /// Number of slices, 1 to 1048576 ([`MAX_SLICES`]); left out: `time_steps`, or 10.
        #[serde(default = "default_bins")]
        bins: usize,
        /// Overlap of a slice with the next as a share of its length, 0 <= overlap < 1.
        #[serde(default)]
        overlap: f64,
        /// Placement of the edges between slices.
        #[serde(default)]
        edges: TimeEdges,
        /// Start of the time grid in us; left out: the first event. Earlier events are dropped.
        #[serde(default)]
        start_us: Option<i64>,
        /// End of the time grid in us, exclusive; left out: just after the last event. Later events are
        /// dropped.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// `bins` slices with equal numbers of events (to within one): slice `k` contains the events `floor(k N /
    /// bins) .. floor((k + 1) N / bins)`.
    EventBins {
        /// Number of slices, 1 to 1048576 ([`MAX_SLICES`]); left out: `time_steps`, or 10.
        #[serde(default = "default_bins")]
        bins: usize,
        /// Overlap of a slice with the next as a share of its length, 0 <= overlap < 1.
        #[serde(default)]
        overlap: f64,
        /// How events that do not divide evenly are distributed.
        #[serde(default)]
        remainder: LeftoverEvents,
    },
    /// Slices of `window_us`, as many as the recording is long: slice `k` contains `t_0 + k s <= t < t_0 + k
    /// s + window_us` with `s = window_us - overlap_us`.
    TimeWindow {
        /// Length of a slice in us, 1 or above.
        window_us: i64,
        /// Overlap of a slice with the next in us, 0 <= overlap_us < window_us.
        #[serde(default)]
        overlap_us: i64,
        /// How a last slice that is not full is handled.
        #[serde(default)]
        tail: LastWindow,
        /// Start of the time grid in us; left out: the first event. Earlier events are dropped.
        #[serde(default)]
        start_us: Option<i64>,
        /// End of the time grid in us, exclusive; left out: just after the last event.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// Slices of `count` events, as many as there are: slice `k` contains the events `k s .. k s + count`
    /// with `s = count - overlap`.
    EventCount {
        /// Number of events in a slice, 1 or above.
        count: usize,
        /// Number of events shared with the next slice, below `count`.
        #[serde(default)]
        overlap: usize,
        /// How a last slice with fewer than `count` events is handled.
        #[serde(default)]
        tail: LastWindow,
    },
}

/// Default number of bins: the reference recipe's.
const DEFAULT_BINS: usize = 10;

fn default_bins() -> usize {
    DEFAULT_BINS
}

/// Placement of the edges between equal time bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeEdges {
    /// Equal bins (to within 1 us) that contain every event.
    #[default]
    Exact,
    /// tonic 1.7: bins of `floor((t_{N-1} - t_0) / bins)` us; the events after the last bin are lost. With
    /// `overlap = o`, bins are longer by the factor `1 + o` and start at intervals of `1 - o` times that
    /// length.
    Tonic,
    /// SpikingJelly 2.0, split by time: tonic's bins, except that the last contains all remaining events.
    SpikingJelly,
}

/// How events that do not divide evenly into bins are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftoverEvents {
    /// One each to as many bins, spread evenly.
    #[default]
    Spread,
    /// tonic 1.7: bins of `floor(N / bins)` events; the events after the last bin are lost.
    Tonic,
    /// SpikingJelly 2.0, split by number: all to the last bin.
    SpikingJelly,
}

/// How a last slice that is not full is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LastWindow {
    /// It is kept, so that no event is lost.
    #[default]
    Keep,
    /// It is dropped, with its events, unless it is the only one (tonic's default). A window is kept if
    /// `t_0 + k s + window_us <= t_{N-1}`, a count if all its events are present.
    Drop,
    /// tonic with `include_incomplete`: for windows, an event exactly at the end of the last one is lost.
    Tonic,
    /// SpikingJelly's fixed duration: `ceil((t_{N-1} - t_0) / window_us)` slices, the last of which contains
    /// all remaining events. No overlap.
    SpikingJelly,
}

/// A slice: its events and its time interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The indices of its events, counted from 0.
    pub events: Range<usize>,
    /// Its start in us.
    pub start_us: i64,
    /// Its end in us, exclusive. For slices by events: just after its last event.
    pub end_us: i64,
}

impl Slice {
    /// Length in us.
    pub fn duration_us(&self) -> i64 {
        self.end_us.saturating_sub(self.start_us)
    }
}

impl Default for Slicing {
    /// The reference recipe: 10 equal time bins.
    fn default() -> Self {
        Slicing::time_bins(DEFAULT_BINS)
    }
}

impl Slicing {
    /// `bins` equal time bins without overlap.
    pub fn time_bins(bins: usize) -> Self {
        Slicing::TimeBins { bins, overlap: 0.0, edges: TimeEdges::Exact, start_us: None, end_us: None }
    }

    /// `bins` bins with equal numbers of events, without overlap.
    pub fn event_bins(bins: usize) -> Self {
        Slicing::EventBins { bins, overlap: 0.0, remainder: LeftoverEvents::Spread }
    }

    /// Windows of `window_us` us without overlap.
    pub fn time_window(window_us: i64) -> Self {
        Slicing::TimeWindow { window_us, overlap_us: 0, tail: LastWindow::Keep, start_us: None, end_us: None }
    }

    /// Slices of `count` events without overlap.
    pub fn event_count(count: usize) -> Self {
        Slicing::EventCount { count, overlap: 0, tail: LastWindow::Keep }
    }

    /// The same slicing into `steps` slices if its number of bins is the default, which means that none was
    /// given.
    #[must_use]
    pub fn with_default_bins(mut self, steps: usize) -> Self {
        if let Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } = &mut self
            && *bins == DEFAULT_BINS
        {
            *bins = steps;
        }
        self
    }

    /// The number of slices if it does not depend on the recording, i.e. for bins.
    pub fn fixed_steps(&self) -> Option<usize> {
        match *self {
            Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } => Some(bins),
            Slicing::TimeWindow { .. } | Slicing::EventCount { .. } => None,
        }
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first invalid one.
    pub fn check(&self) -> Result<(), EventError> {
        match *self {
            Slicing::TimeBins { bins, overlap, edges, start_us, end_us } => {
                check_bins(bins, overlap)?;
                check_interval(start_us, end_us)?;
                if edges != TimeEdges::Exact && (start_us.is_some() || end_us.is_some()) {
                    return Err(option(
                        "edges",
                        if edges == TimeEdges::Tonic { "tonic" } else { "spiking_jelly" }.to_string(),
                        "exact where start_us or end_us is given",
                    ));
                }
                if edges == TimeEdges::SpikingJelly && overlap != 0.0 {
                    return Err(option("overlap", overlap.to_string(), "0 with the edges of SpikingJelly"));
                }
            }
            Slicing::EventBins { bins, overlap, remainder } => {
                check_bins(bins, overlap)?;
                if remainder == LeftoverEvents::SpikingJelly && overlap != 0.0 {
                    return Err(option(
                        "overlap",
                        overlap.to_string(),
                        "0 with the remainder of SpikingJelly",
                    ));
                }
            }
            Slicing::TimeWindow { window_us, overlap_us, tail, start_us, end_us } => {
                if window_us < 1 {
                    return Err(option("window_us", window_us.to_string(), "1 or above"));
                }
                if !(0..window_us).contains(&overlap_us) {
                    return Err(option(
                        "overlap_us",
                        overlap_us.to_string(),
                        "0 or above, and below window_us",
                    ));
                }
                check_interval(start_us, end_us)?;
                if tail == LastWindow::SpikingJelly
                    && (overlap_us != 0 || start_us.is_some() || end_us.is_some())
                {
                    return Err(option(
                        "tail",
                        "spiking_jelly".into(),
                        "another where overlap_us, start_us or end_us is given",
                    ));
                }
            }
            Slicing::EventCount { count, overlap, tail } => {
                if count == 0 {
                    return Err(option("count", "0".into(), "1 or above"));
                }
                if overlap >= count {
                    return Err(option("overlap", overlap.to_string(), "below count"));
                }
                if tail == LastWindow::SpikingJelly {
                    return Err(option("tail", "spiking_jelly".into(), "another for slices by event count"));
                }
            }
        }
        Ok(())
    }

    /// The slices of a recording, in order of time.
    ///
    /// Bins result in the requested number of slices even with few or no events; the others result in at
    /// least one slice.
    ///
    /// # Errors
    /// [`EventError::Option`], [`EventError::Unsorted`], [`EventError::TooManySlices`];
    /// [`EventError::Columns`] for events that were assembled by hand.
    pub fn slices(&self, events: &Events) -> Result<Vec<Slice>, EventError> {
        self.check()?;
        events.require_columns()?;
        events.require_sorted()?;
        match *self {
            Slicing::TimeBins { bins, overlap, edges: TimeEdges::Exact, start_us, end_us } => {
                Ok(exact_time_bins(events, bins, overlap, start_us, end_us))
            }
            Slicing::TimeBins { bins, overlap, edges, .. } => {
                Ok(floored_time_bins(events, bins, overlap, edges == TimeEdges::SpikingJelly))
            }
            Slicing::EventBins { bins, overlap, remainder } => {
                Ok(event_bins(events.len(), bins, overlap, remainder)
                    .map(|range| slice_of(events, range))
                    .collect())
            }
            Slicing::TimeWindow { window_us, overlap_us, tail, start_us, end_us } => {
                time_windows(events, window_us, overlap_us, tail, start_us, end_us)
            }
            Slicing::EventCount { count, overlap, tail } => event_counts(events, count, overlap, tail),
        }
    }
}

fn option(option: &'static str, value: String, expected: &'static str) -> EventError {
    EventError::Option { option, value, expected }
}

fn check_bins(bins: usize, overlap: f64) -> Result<(), EventError> {
    if !(1..=MAX_SLICES).contains(&bins) {
        return Err(option("bins", bins.to_string(), "1 to 1048576"));
    }
    if !(0.0..1.0).contains(&overlap) {
        return Err(option("overlap", overlap.to_string(), "0 or above, and below 1"));
    }
    Ok(())
}

fn check_interval(start_us: Option<i64>, end_us: Option<i64>) -> Result<(), EventError> {
    match (start_us, end_us) {
        (Some(start), Some(end)) if end <= start => {
            Err(option("end_us", end.to_string(), "later than start_us"))
        }
        _ => Ok(()),
    }
}

/// Index of the first event at or after a time.
fn first_at(events: &Events, time: i128) -> usize {
    events.t.partition_point(|&t| i128::from(t) < time)
}

/// A grid time as a time stamp: there are no events outside its range.
fn stamp(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The time of the first event, and one after that of the last; an empty interval at 0 if there are no
/// events.
fn span(events: &Events) -> (i128, i128) {
    match (events.t.first(), events.t.last()) {
        (Some(&first), Some(&last)) => (first.into(), i128::from(last) + 1),
        _ => (0, 0),
    }
}

fn interval(events: &Events, start: i128, end: i128) -> Slice {
    let first = first_at(events, start);
    Slice { events: first..first_at(events, end).max(first), start_us: stamp(start), end_us: stamp(end) }
}

fn exact_time_bins(
    events: &Events,
    bins: usize,
    overlap: f64,
    start_us: Option<i64>,
    end_us: Option<i64>,
) -> Vec<Slice> {
    let (first, after) = span(events);
    let start = start_us.map_or(first, i128::from);
    let end = end_us.map_or(after, i128::from).max(start);
    let (duration, bins) = (end - start, bins as i128);
    let edge = |k: i128| start + (k * duration + bins - 1) / bins;
    let further = (overlap * duration as f64 / bins as f64).round() as i128;
    (0..bins).map(|k| interval(events, edge(k), (edge(k + 1) + further).min(end))).collect()
}

fn floored_time_bins(events: &Events, bins: usize, overlap: f64, last_takes_all: bool) -> Vec<Slice> {
    let (first, after) = span(events);
    // The peers compute these edges in floating point, so the same is done here.
    let window = ((after - 1 - first).max(0) / bins as i128) as f64 * (1.0 + overlap);
    let stride = window * (1.0 - overlap);
    let at = |edge: f64| events.t.partition_point(|&t| (t as f64) < edge);
    (0..bins)
        .map(|k| {
            let start = k as f64 * stride + first as f64;
            let end = start + window;
            let last = last_takes_all && k + 1 == bins;
            let from = at(start);
            Slice {
                events: from..if last { events.len() } else { at(end).max(from) },
                start_us: start as i64,
                end_us: if last { stamp(after) } else { end as i64 },
            }
        })
        .collect()
}

fn event_bins(
    count: usize,
    bins: usize,
    overlap: f64,
    remainder: LeftoverEvents,
) -> impl Iterator<Item = Range<usize>> {
    let each = count / bins;
    // Wide enough for any number of events multiplied by any number of bins.
    let edge = move |k: usize| (k as u128 * count as u128 / bins as u128) as usize;
    (0..bins).map(move |k| match remainder {
        LeftoverEvents::Spread => {
            let further = (overlap * count as f64 / bins as f64).round() as usize;
            edge(k)..(edge(k + 1) + further).min(count)
        }
        LeftoverEvents::Tonic => {
            let length = (each as f64 * (1.0 + overlap)) as usize;
            let stride = (length as f64 * (1.0 - overlap)) as usize;
            (k * stride).min(count)..(k * stride + length).min(count)
        }
        LeftoverEvents::SpikingJelly => k * each..if k + 1 == bins { count } else { (k + 1) * each },
    })
}

/// A slice by events: its times are those of its events.
fn slice_of(events: &Events, range: Range<usize>) -> Slice {
    let (first, after) = span(&events.range(range.clone()));
    if range.is_empty() {
        let at = events.t.get(range.start).or(events.t.last()).copied().unwrap_or(0);
        return Slice { events: range, start_us: at, end_us: at };
    }
    Slice { events: range, start_us: stamp(first), end_us: stamp(after) }
}

fn ceil_div(a: i128, b: i128) -> i128 {
    a.div_euclid(b) + i128::from(a.rem_euclid(b) != 0)
}

fn time_windows(
    events: &Events,
    window_us: i64,
    overlap_us: i64,
    tail: LastWindow,
    start_us: Option<i64>,
    end_us: Option<i64>,
) -> Result<Vec<Slice>, EventError> {
    let (first, after) = span(events);
    let (window, stride) = (i128::from(window_us), i128::from(window_us - overlap_us));
    let start = start_us.map_or(first, i128::from);
    // The peers' recordings end at the last event, ours just after it.
    let inclusive = (end_us.map_or(after - 1, i128::from) - start).max(0);
    let end = end_us.map_or(after, i128::from).max(start);
    let slices = match tail {
        LastWindow::Keep => ceil_div(end - start - window, stride) + 1,
        LastWindow::Drop => (inclusive - window).div_euclid(stride) + 1,
        LastWindow::Tonic => ceil_div(inclusive - window, stride) + 1,
        LastWindow::SpikingJelly => ceil_div(inclusive, window),
    }
    .max(1);
    if slices > MAX_SLICES as i128 {
        return Err(EventError::TooManySlices {
            slices: slices.unsigned_abs(),
            limit: MAX_SLICES,
            duration_us: stamp(end - start),
        });
    }
    Ok((0..slices)
        .map(|k| {
            let from = start + k * stride;
            let to = match tail {
                LastWindow::Keep => (from + window).min(end),
                LastWindow::SpikingJelly if k + 1 == slices => end,
                _ => from + window,
            };
            interval(events, from, to)
        })
        .collect())
}

fn event_counts(
    events: &Events,
    count: usize,
    overlap: usize,
    tail: LastWindow,
) -> Result<Vec<Slice>, EventError> {
    let (n, stride) = (events.len(), count - overlap);
    let beyond = n.saturating_sub(count);
    let slices = match tail {
        LastWindow::Drop => beyond / stride,
        LastWindow::Keep | LastWindow::Tonic | LastWindow::SpikingJelly => beyond.div_ceil(stride),
    } + 1;
    if slices > MAX_SLICES {
        return Err(EventError::TooManySlices {
            slices: slices as u128,
            limit: MAX_SLICES,
            duration_us: events.duration_us(),
        });
    }
    Ok((0..slices).map(|k| slice_of(events, (k * stride).min(n)..(k * stride + count).min(n))).collect())
}
