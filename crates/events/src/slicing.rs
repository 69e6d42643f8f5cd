//! Where one frame ends and the next begins: slices of a recording by time or by number of events.
//!
//! Every slice is a half-open interval: of time `[start_us, end_us)`, hence of events `[first, end)`. The
//! grid of times starts at the first event unless `start_us` says otherwise. By default no event is lost;
//! what tonic and SpikingJelly do where it differs is at hand by name.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::EventError;
use crate::stream::Events;

/// The most slices that a recording may fall into.
pub const MAX_SLICES: usize = 1 << 20;

/// How a recording is cut into slices, one a frame.
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
    /// `bins` slices of equal duration (to a us): slice `k` holds `e_k <= t < e_{k+1}` with
    /// `e_k = t_0 + ceil(k D / bins)`. The last ends just after the last event, so that none is lost.
    TimeBins {
        /// Number of slices, 1 to 1048576 ([`MAX_SLICES`]); left out: `time_steps`, or 10.
        #[serde(default = "default_bins")]
        bins: usize,
        /// By how much of its length a slice reaches into the one after it, 0 <= overlap < 1.
        #[serde(default)]
        overlap: f64,
        /// Where the edges lie.
        #[serde(default)]
        edges: TimeEdges,
        /// Where the grid starts, in us; the first event if left out. Earlier events are left out.
        #[serde(default)]
        start_us: Option<i64>,
        /// Where the grid ends, in us, exclusive; just after the last event if left out. Later events are
        /// left out.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// `bins` slices of equally many events (to one): slice `k` holds the events
    /// `floor(k N / bins) .. floor((k + 1) N / bins)`.
    EventBins {
        /// Number of slices, 1 to 1048576 ([`MAX_SLICES`]); left out: `time_steps`, or 10.
        #[serde(default = "default_bins")]
        bins: usize,
        /// By how much of its length a slice reaches into the one after it, 0 <= overlap < 1.
        #[serde(default)]
        overlap: f64,
        /// Where the events go that do not divide evenly.
        #[serde(default)]
        remainder: LeftoverEvents,
    },
    /// As many slices of `window_us` as the recording lasts: slice `k` holds
    /// `t_0 + k s <= t < t_0 + k s + window_us` with `s = window_us - overlap_us`.
    TimeWindow {
        /// Length of a slice in us, 1 or above.
        window_us: i64,
        /// By how much a slice reaches into the one after it, in us, 0 <= overlap_us < window_us.
        #[serde(default)]
        overlap_us: i64,
        /// What becomes of the last slice, which the recording does not fill.
        #[serde(default)]
        tail: LastWindow,
        /// Where the grid starts, in us; the first event if left out. Earlier events are left out.
        #[serde(default)]
        start_us: Option<i64>,
        /// Where the grid ends, in us, exclusive; just after the last event if left out.
        #[serde(default)]
        end_us: Option<i64>,
    },
    /// As many slices of `count` events as there are: slice `k` holds the events `k s .. k s + count` with
    /// `s = count - overlap`.
    EventCount {
        /// Number of events in a slice, 1 or above.
        count: usize,
        /// How many of them it shares with the slice after it, below `count`.
        #[serde(default)]
        overlap: usize,
        /// What becomes of the last slice, for which there are not `count` events.
        #[serde(default)]
        tail: LastWindow,
    },
}

/// Bins where their number is left out: the reference recipe's.
const DEFAULT_BINS: usize = 10;

fn default_bins() -> usize {
    DEFAULT_BINS
}

/// Where the edges of equal time bins lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeEdges {
    /// Equal to a us, and every event in a bin.
    #[default]
    Exact,
    /// tonic 1.7: bins of `floor((t_{N-1} - t_0) / bins)` us; the events after the last are lost. With
    /// `overlap = o`, bins are longer by the factor `1 + o`, and start after `1 - o` of that length.
    Tonic,
    /// SpikingJelly 2.0, split by time: tonic's bins, but the last takes every event that remains.
    SpikingJelly,
}

/// Where the events go that do not divide evenly into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftoverEvents {
    /// One each into as many bins, spread evenly.
    #[default]
    Spread,
    /// tonic 1.7: bins of `floor(N / bins)` events; those after the last are lost.
    Tonic,
    /// SpikingJelly 2.0, split by number: all into the last bin.
    SpikingJelly,
}

/// What becomes of the last slice, which the recording does not fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LastWindow {
    /// It is kept, so that no event is lost.
    #[default]
    Keep,
    /// It is dropped, with its events, unless it is the only one (tonic's default): a window is kept if
    /// `t_0 + k s + window_us <= t_{N-1}`, a count if all its events are there.
    Drop,
    /// tonic with `include_incomplete`: for windows, an event exactly at the end of the last is lost.
    Tonic,
    /// SpikingJelly's fixed duration: `ceil((t_{N-1} - t_0) / window_us)` slices, the last of which takes
    /// every event that remains. No overlap.
    SpikingJelly,
}

/// One slice: the events that it holds, and its interval of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Which events, counted from 0.
    pub events: Range<usize>,
    /// Where it starts, in us.
    pub start_us: i64,
    /// Where it ends, in us, exclusive. For slices by events: just after its last event.
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
    /// This many equal time bins, without overlap.
    pub fn time_bins(bins: usize) -> Self {
        Slicing::TimeBins { bins, overlap: 0.0, edges: TimeEdges::Exact, start_us: None, end_us: None }
    }

    /// This many bins of equally many events, without overlap.
    pub fn event_bins(bins: usize) -> Self {
        Slicing::EventBins { bins, overlap: 0.0, remainder: LeftoverEvents::Spread }
    }

    /// Windows of this many us, without overlap.
    pub fn time_window(window_us: i64) -> Self {
        Slicing::TimeWindow { window_us, overlap_us: 0, tail: LastWindow::Keep, start_us: None, end_us: None }
    }

    /// Slices of this many events, without overlap.
    pub fn event_count(count: usize) -> Self {
        Slicing::EventCount { count, overlap: 0, tail: LastWindow::Keep }
    }

    /// The same slicing into `steps` slices where it has the default number of bins, which says that none was given.
    #[must_use]
    pub fn with_default_bins(mut self, steps: usize) -> Self {
        if let Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } = &mut self
            && *bins == DEFAULT_BINS
        {
            *bins = steps;
        }
        self
    }

    /// The number of slices where it does not depend on the recording: that of bins.
    pub fn fixed_steps(&self) -> Option<usize> {
        match *self {
            Slicing::TimeBins { bins, .. } | Slicing::EventBins { bins, .. } => Some(bins),
            Slicing::TimeWindow { .. } | Slicing::EventCount { .. } => None,
        }
    }

    /// Checks every option.
    ///
    /// # Errors
    /// [`EventError::Option`] for the first that makes no sense.
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
    /// Bins give as many slices as asked for, also where there are few events or none; the others give at
    /// least one.
    ///
    /// # Errors
    /// [`EventError::Option`], [`EventError::Unsorted`], [`EventError::TooManySlices`];
    /// [`EventError::Columns`] for events that were put together by hand.
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

/// A time of the grid as a time stamp: what lies beyond its range holds no event.
fn stamp(time: i128) -> i64 {
    time.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// First and one after last time of the recording; an empty interval at 0 where there are no events.
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
    // The peers compute these edges in floating point, so it has to be done here too.
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
    // Wide enough for any number of events times any number of bins.
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
    // The peers' recordings end at the last event, ours after it.
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
