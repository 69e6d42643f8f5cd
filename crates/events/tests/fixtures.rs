//! Real recordings compared with the output of independent decoders: every file listed in the
//! `expected.json`s under the folder. `TKS_EVENT_FIXTURES` names another folder.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tks_events::formats::{Format, ReadOptions, read};
use tks_events::{Events, SensorSize};

fn folder() -> PathBuf {
    match std::env::var_os("TKS_EVENT_FIXTURES") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/event-fixtures"),
    }
}

/// Every `expected.json` under a folder.
fn lists(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lists(&path, found);
        } else if path.file_name().is_some_and(|name| name == "expected.json") {
            found.push(path);
        }
    }
}

/// SHA-256 over the events, packed as t: i64, x: u16, y: u16, p: u8, least significant byte first.
fn digest(events: Events<'_>) -> String {
    let mut packed = Vec::with_capacity(events.len() * 13);
    for i in 0..events.len() {
        packed.extend(events.t[i].to_le_bytes());
        packed.extend(events.x[i].to_le_bytes());
        packed.extend(events.y[i].to_le_bytes());
        packed.push(events.p[i]);
    }
    Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The differences, in words.
fn disagreements(path: &Path, expected: &Value) -> Vec<String> {
    let sensor = expected["sensor_size_wh"].as_array().map(|size| SensorSize {
        width: size[0].as_u64().unwrap() as u16,
        height: size[1].as_u64().unwrap() as u16,
    });
    let reading = match read(path, &ReadOptions::default()) {
        Ok(reading) => reading,
        Err(error) => return vec![error.to_string()],
    };
    let events = reading.stream.events();
    let mut found = Vec::new();
    let mut check = |name: &str, actual: Value| {
        if !expected[name].is_null() && expected[name] != actual {
            found.push(format!("{name}: {actual} instead of {}", expected[name]));
        }
    };
    let event =
        |i: usize| Value::from(vec![events.t[i], events.x[i].into(), events.y[i].into(), events.p[i].into()]);
    let n = events.len();
    check("n_events", n.into());
    check("first5", (0..n.min(5)).map(event).collect());
    check("last5", (n.saturating_sub(5)..n).map(event).collect());
    check("sum_polarity", events.p.iter().map(|&p| u64::from(p)).sum::<u64>().into());
    check("t_min", events.t.iter().min().copied().into());
    check("t_max", events.t.iter().max().copied().into());
    for (axis, column) in [("x", events.x), ("y", events.y)] {
        check(&format!("{axis}_min"), column.iter().min().copied().into());
        check(&format!("{axis}_max"), column.iter().max().copied().into());
    }
    check("timestamps_non_decreasing", events.require_sorted().is_ok().into());
    check("events_sha256_le_t_i64_x_u16_y_u16_p_u8", digest(events).into());
    // A sensor that the file does not state is derived from the events, and may be smaller.
    let read = reading.stream.sensor();
    if let Some(sensor) = sensor
        && (read.width > sensor.width || read.height > sensor.height)
    {
        found.push(format!("a sensor of {read:?} instead of {sensor:?}"));
    }
    found
}

#[test]
fn fixtures() {
    let mut found = Vec::new();
    lists(&folder(), &mut found);
    assert!(!found.is_empty(), "no expected.json under {}", folder().display());
    found.sort();
    let (mut failures, mut files) = (Vec::new(), 0);
    for list in found {
        let text = std::fs::read_to_string(&list).unwrap();
        let expected: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
        for expected in expected.as_array().expect("a list of recordings") {
            let path = list.with_file_name(expected["file"].as_str().expect("a file's name"));
            if cfg!(not(feature = "hdf5"))
                && std::fs::read(&path).is_ok_and(|bytes| Format::detect(&bytes) == Some(Format::Hdf5))
            {
                println!("{}: skipped, it needs the feature `hdf5`", path.display());
                continue;
            }
            let problems = disagreements(&path, expected);
            files += 1;
            if problems.is_empty() {
                println!("{}: {} events agree", path.display(), expected["n_events"]);
            } else {
                failures.push(format!("{}:\n  {}", path.display(), problems.join("\n  ")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {files} recordings differ\n{}", failures.len(), failures.join("\n"));
}
