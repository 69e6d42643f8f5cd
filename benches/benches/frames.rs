//! From events in memory to frames: the library compared with other ways of writing the same loop, and with
//! the limit set by memory bandwidth.
//!
//! The recordings are the size of N-MNIST's (5,000 events, 34 x 34), of CIFAR10-DVS's (200,000 events, 128 x
//! 128), and of those that the Python peers are timed with (5,000 events at 128 x 128; 5 million).

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use tks_events::frames::FramesMut;
use tks_events::recipe::{Recipe, Scratch};
use tks_events::represent::{Decay, Polarity, Representation, VoxelTime};
use tks_events::slicing::{Slice, Slicing};
use tks_events::{EventStream, Events, SensorSize};

/// Random events, sorted by time.
fn recording(events: usize, side: u16) -> EventStream {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % below
    };
    let mut t: Vec<i64> = (0..events).map(|_| next(300_000.max(events as u64 / 3)) as i64).collect();
    t.sort_unstable();
    let mut column = |below: u64| (0..events).map(|_| next(below) as u16).collect::<Vec<_>>();
    let (x, y) = (column(side.into()), column(side.into()));
    let p = column(2).into_iter().map(|p| p as u8).collect();
    EventStream::new(SensorSize { width: side, height: side }, t, x, y, p).expect("events on the sensor")
}

fn pixel(events: &Events, i: usize) -> usize {
    let (width, height) = (usize::from(events.sensor.width), usize::from(events.sensor.height));
    (usize::from(events.p[i]) * height + usize::from(events.y[i])) * width + usize::from(events.x[i])
}

/// One pass over the recording, with a division to find the frame of each event.
fn with_division(events: &Events, frames: usize, out: &mut [f32]) {
    out.fill(0.0);
    let frame = out.len() / frames;
    let (first, last) = (events.t[0], events.t[events.len() - 1]);
    let duration = (last - first + 1) as u64;
    for i in 0..events.len() {
        let k = ((events.t[i] - first) as u64 * frames as u64 / duration) as usize;
        out[k * frame + pixel(events, i)] += 1.0;
    }
}

/// The columns are indexed, each with its own bounds check.
fn with_indices(events: &Events, slices: &[Slice], out: &mut [f32]) {
    let frame = out.len() / slices.len();
    for (slice, out) in slices.iter().zip(out.chunks_exact_mut(frame)) {
        out.fill(0.0);
        for i in slice.events.clone() {
            out[pixel(events, i)] += 1.0;
        }
    }
}

/// The columns are iterated together, without the check that a pixel is within its frame.
fn unchecked(events: &Events, slices: &[Slice], out: &mut [f32]) {
    let frame = out.len() / slices.len();
    let (width, height) = (usize::from(events.sensor.width), usize::from(events.sensor.height));
    assert_eq!(frame, 2 * width * height);
    for (slice, out) in slices.iter().zip(out.chunks_exact_mut(frame)) {
        out.fill(0.0);
        let events = events.range(slice.events.clone());
        for ((&x, &y), &p) in events.x.iter().zip(events.y).zip(events.p) {
            // SAFETY: `EventStream::new` has checked that x < width, y < height and p < 2.
            unsafe {
                *out.get_unchecked_mut(
                    (usize::from(p) * height + usize::from(y)) * width + usize::from(x),
                ) += 1.0;
            }
        }
    }
}

/// Counts in bytes, which stay in the first-level cache and are then converted to `f32`.
fn bytes_first(events: &Events, slices: &[Slice], counts: &mut [u8], out: &mut [f32]) {
    let frame = out.len() / slices.len();
    for (slice, out) in slices.iter().zip(out.chunks_exact_mut(frame)) {
        counts.fill(0);
        for i in slice.events.clone() {
            let count = &mut counts[pixel(events, i)];
            *count = count.wrapping_add(1);
        }
        for (out, &count) in out.iter_mut().zip(&*counts) {
            *out = f32::from(count);
        }
    }
}

/// The columns are iterated together, with the pixel of each event computed individually.
fn walked(events: &Events, slices: &[Slice], out: &mut [f32]) {
    let frame = out.len() / slices.len();
    let (width, height) = (usize::from(events.sensor.width), usize::from(events.sensor.height));
    for (slice, out) in slices.iter().zip(out.chunks_exact_mut(frame)) {
        out.fill(0.0);
        let events = events.range(slice.events.clone());
        for ((&x, &y), &p) in events.x.iter().zip(events.y).zip(events.p) {
            out[(usize::from(p) * height + usize::from(y)) * width + usize::from(x)] += 1.0;
        }
    }
}

/// Even and odd events are counted separately, so that two events at the same pixel do not wait for each
/// other.
fn two_accumulators(events: &Events, slices: &[Slice], counts: &mut [Vec<f32>; 2], out: &mut [f32]) {
    let frame = out.len() / slices.len();
    for (slice, out) in slices.iter().zip(out.chunks_exact_mut(frame)) {
        counts.iter_mut().for_each(|counts| counts.fill(0.0));
        for i in slice.events.clone() {
            counts[i % 2][pixel(events, i)] += 1.0;
        }
        for ((out, even), odd) in out.iter_mut().zip(&counts[0]).zip(&counts[1]) {
            *out = even + odd;
        }
    }
}

fn group<'c>(
    criterion: &'c mut Criterion,
    name: &str,
    events: usize,
) -> BenchmarkGroup<'c, criterion::measurement::WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(events as u64));
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).sample_size(20);
    group
}

/// Ten frames of counts, by one method after the other.
fn ways(criterion: &mut Criterion) {
    for (count, side) in [(5_000, 34), (5_000, 128), (200_000, 128), (5_000_000, 128)] {
        let stream = recording(count, side);
        let events = stream.events();
        let slicing = Slicing::time_bins(10);
        let representation = Representation::default();
        let shape = representation.shape(10, events.sensor);
        let frame: usize = shape[1..].iter().product();
        let mut out = vec![0.0f32; 10 * frame];
        let slices = slicing.slices(&events).expect("sorted events");

        let mut group = group(criterion, &format!("frames/{count}x{side}"), count);
        group.bench_function("tks f32", |bench| {
            bench.iter(|| {
                let slices = slicing.slices(black_box(&events)).expect("sorted events");
                let mut out = FramesMut::contiguous(&mut out, shape).expect("the right shape");
                representation.write(&events, &slices, &mut out).expect("the right shape")
            });
        });
        let mut bytes = vec![0u8; 10 * frame];
        group.bench_function("tks u8", |bench| {
            bench.iter(|| {
                let slices = slicing.slices(black_box(&events)).expect("sorted events");
                let mut out = FramesMut::contiguous(&mut bytes, shape).expect("the right shape");
                representation.write(&events, &slices, &mut out).expect("the right shape")
            });
        });
        group.bench_function("slices alone", |bench| bench.iter(|| slicing.slices(black_box(&events))));
        group.bench_function("unchecked", |bench| {
            bench.iter(|| unchecked(black_box(&events), &slices, black_box(&mut out)));
        });
        group.bench_function("indices", |bench| {
            bench.iter(|| with_indices(black_box(&events), &slices, black_box(&mut out)));
        });
        group.bench_function("walked", |bench| {
            bench.iter(|| walked(black_box(&events), &slices, black_box(&mut out)));
        });
        let mut counts = vec![0u8; frame];
        group.bench_function("bytes first", |bench| {
            bench.iter(|| bytes_first(black_box(&events), &slices, &mut counts, black_box(&mut out)));
        });
        let mut pair = [vec![0.0f32; frame], vec![0.0f32; frame]];
        group.bench_function("two accumulators", |bench| {
            bench.iter(|| two_accumulators(black_box(&events), &slices, &mut pair, black_box(&mut out)));
        });
        group.bench_function("division", |bench| {
            bench.iter(|| with_division(black_box(&events), 10, black_box(&mut out)));
        });
        // The minimum for any method: the events read once, the frames written once.
        group.bench_function("memory alone", |bench| {
            bench.iter(|| {
                let events = black_box(&events);
                black_box(&mut out).fill(0.0);
                let sum = |column: &[u16]| column.iter().fold(0u16, |sum, &v| sum.wrapping_add(v));
                let t = events.t.iter().fold(0i64, |sum, &v| sum.wrapping_add(v));
                let p = events.p.iter().fold(0u8, |sum, &v| sum.wrapping_add(v));
                (t, sum(events.x), sum(events.y), p)
            });
        });
        group.finish();
    }
}

/// The other representations, and the reference recipe.
fn representations(criterion: &mut Criterion) {
    let count = 200_000;
    let stream = recording(count, 128);
    let events = stream.events();
    let mut group = group(criterion, "representations/200000x128", count);
    for (name, representation) in [
        ("voxel grid", Representation::VoxelGrid { polarity: Polarity::Signed, grid: VoxelTime::Zhu }),
        ("time surface", Representation::TimeSurface { tau_us: 50_000.0, decay: Decay::Exponential }),
        ("bina-rep", Representation::BinaRep { bits: 8 }),
        (
            "averaged time surface",
            Representation::AveragedTimeSurface {
                cell: 10,
                surface: 5,
                window_us: 1_000,
                tau_us: 1_000.0,
                decay: Decay::Exponential,
            },
        ),
    ] {
        let shape = representation.shape(10, events.sensor);
        let mut out = vec![0.0f32; shape.iter().product()];
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let slices = Slicing::time_bins(10).slices(black_box(&events)).expect("sorted events");
                let mut out = FramesMut::contiguous(&mut out, shape).expect("the right shape");
                representation.write(&events, &slices, &mut out).expect("the right shape")
            });
        });
    }
    let (recipe, mut scratch) = (Recipe::reference(), Scratch::default());
    let shape = recipe.shape(events.sensor).expect("a fixed number of steps");
    let mut out = vec![0.0f32; shape.iter().product()];
    let mut rng = tks_data::rng::sample_rng(1, 0, 0);
    group.bench_function("reference recipe", |bench| {
        bench.iter(|| {
            let mut out = FramesMut::contiguous(&mut out, shape).expect("the right shape");
            recipe.write(black_box(&events), &mut out, &mut scratch).expect("the right shape")
        });
    });
    group.bench_function("reference recipe, augmented", |bench| {
        bench.iter(|| {
            let mut out = FramesMut::contiguous(&mut out, shape).expect("the right shape");
            recipe
                .write_augmented(black_box(&events), &mut rng, &mut out, &mut scratch)
                .expect("the right shape")
        });
    });
    group.finish();
}

criterion_group!(benches, ways, representations);
criterion_main!(benches);
