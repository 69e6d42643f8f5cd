//! Event files: known-good bytes, round trips, and resuming after a crash.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result};
use proptest::prelude::*;
use tks_report::tensorboard::{EventWriter, FILE_PREFIX, Scalar, read_scalars};

/// Written by the Python package `tensorboard` 2.21.0 (`RecordWriter`, `event_pb2`): a file version at time
/// 1.5, `train/loss` = 0.25 at step 3 and time 2.5, `a` = -1 at step 1,000,000 and time 3.5.
const BY_TENSORBOARD: &[u8] = include_bytes!("fixtures/scalars.tfevents");

fn tags(scalars: &[Scalar]) -> Vec<(&str, i64, f32)> {
    scalars.iter().map(|scalar| (scalar.tag.as_str(), scalar.step, scalar.value)).collect()
}

#[test]
fn what_tensorboard_writes_is_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.out.tfevents.1");
    std::fs::write(&path, BY_TENSORBOARD)?;
    let scalars = read_scalars(&path)?;
    assert_eq!(tags(&scalars), [("train/loss", 3, 0.25), ("a", 1_000_000, -1.0)]);
    assert_eq!((scalars[0].wall_time, scalars[1].wall_time), (2.5, 3.5));
    Ok(())
}

/// The same events, written here, differ from TensorBoard's only in the time, which follows the record's head
/// (12 bytes) and the field's key (1).
#[test]
fn what_is_written_equals_what_tensorboard_writes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut writer = EventWriter::create(folder.path())?;
    writer.scalar("train/loss", 3, 0.25)?;
    writer.scalar("a", 1_000_000, -1.0)?;
    writer.flush()?;
    let bytes = std::fs::read(writer.path())?;
    // TensorBoard omits a step of 0, as protocol buffers may; here every event has a step.
    let own = records(&bytes)?;
    let theirs = records(BY_TENSORBOARD)?;
    assert_eq!(
        own[1..].iter().map(|r| &r[9..]).collect::<Vec<_>>(),
        theirs[1..].iter().map(|r| &r[9..]).collect::<Vec<_>>()
    );
    assert_eq!(own[0][11..], theirs[0][9..]);
    Ok(())
}

/// The bytes of the records without their framing.
fn records(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_le_bytes(*length))?;
        records.push(rest.get(4..4 + length).context("a whole record")?.to_vec());
        bytes = &rest[8 + length..];
    }
    Ok(records)
}

#[test]
fn a_training_that_goes_on_appends_and_takes_back_what_came_after_its_checkpoint() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = {
        let mut writer = EventWriter::create(folder.path())?;
        for step in 0..5 {
            writer.scalar("loss", step, step as f64)?;
        }
        writer.flush()?;
        writer.path().to_path_buf()
    };
    // A crash in the middle of a record.
    let whole = std::fs::read(&path)?;
    OpenOptions::new().append(true).open(&path)?.write_all(&whole[..30])?;
    let mut writer = EventWriter::resume(folder.path(), 3)?;
    assert_eq!(writer.path(), path);
    writer.scalars(3, &[("loss".to_string(), 30.0), ("accuracy".to_string(), 0.5)])?;
    let expected =
        [("loss", 0, 0.0), ("loss", 1, 1.0), ("loss", 2, 2.0), ("loss", 3, 30.0), ("accuracy", 3, 0.5)];
    assert_eq!(tags(&read_scalars(&path)?), expected);
    assert_eq!(&std::fs::read(&path)?[..whole.len()], whole);
    Ok(())
}

#[test]
fn without_a_file_a_training_that_goes_on_begins_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("new");
    let mut writer = EventWriter::resume(&empty, 7)?;
    writer.scalars(7, &[("x".to_string(), f64::NAN)])?;
    let name = writer.path().file_name().context("a name")?.to_string_lossy().into_owned();
    assert!(name.starts_with(FILE_PREFIX), "{name}");
    let scalars = read_scalars(writer.path())?;
    assert!(scalars.len() == 1 && scalars[0].value.is_nan());
    // A second file made in the same second gets a different name.
    assert_ne!(EventWriter::create(&empty)?.path(), writer.path());
    Ok(())
}

#[test]
fn damage_is_named_with_its_place() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut writer = EventWriter::create(folder.path())?;
    writer.scalar("loss", 1, 1.0)?;
    writer.flush()?;
    let path = writer.path().to_path_buf();
    let sound = std::fs::read(&path)?;
    let first = 16 + usize::try_from(u64::from_le_bytes(*sound.first_chunk().context("a length")?))?;
    for (at, words) in
        [(first + 2, "the checksum of a record's length"), (first + 14, "the checksum of a record is wrong")]
    {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, &bytes)?;
        for error in [read_scalars(&path).map(|_| ()), EventWriter::resume(folder.path(), 1).map(|_| ())] {
            let text = error.expect_err(words).to_string();
            assert!(text.contains(words) && text.ends_with(&format!("at byte {first}")), "{text}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_written_is_read_again(
        scalars in prop::collection::vec(("\\PC{0,20}", any::<i64>(), any::<f32>().prop_filter("a number", |x| !x.is_nan())), 0..20)
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = EventWriter::create(folder.path()).expect("a file");
        for (tag, step, value) in &scalars {
            writer.scalar(tag, *step, f64::from(*value)).expect("room");
        }
        writer.flush().expect("room");
        let read = read_scalars(writer.path()).expect("a sound file");
        let expected: Vec<(&str, i64, f32)> = scalars.iter().map(|(t, s, v)| (t.as_str(), *s, *v)).collect();
        prop_assert_eq!(tags(&read), expected);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..200, at in 0usize..200) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.out.tfevents.1");
        std::fs::write(&path, &bytes).expect("room");
        let _any = read_scalars(&path);
        let mut damaged = BY_TENSORBOARD.to_vec();
        let length = damaged.len();
        damaged[at % length] ^= 0xFF;
        damaged.truncate(length - cut % length);
        std::fs::write(&path, &damaged).expect("room");
        let _any = read_scalars(&path);
    }
}

#[test]
fn a_damaged_file_is_repaired_up_to_the_damage_and_kept_where_tensorboard_does_not_look() -> Result<()> {
    let folder = tempfile::tempdir()?;
    assert_eq!(EventWriter::repair(folder.path())?, None);
    let mut writer = EventWriter::create(folder.path())?;
    writer.scalars(1, &[("a".into(), 1.0)])?;
    let path = writer.path().to_path_buf();
    drop(writer);
    assert_eq!(EventWriter::repair(folder.path())?, None);
    let sound = std::fs::read(&path)?;
    let damaged = [&sound[..], &[0; 200]].concat();
    std::fs::write(&path, &damaged)?;
    let aside = EventWriter::repair(folder.path())?.expect("it is damaged");
    let name = aside.file_name().unwrap().to_string_lossy();
    assert!(name.ends_with(".damaged") && !name.contains("tfevents"), "{name}");
    assert_eq!((std::fs::read(&aside)?, std::fs::read(&path)?), (damaged, sound));
    let mut writer = EventWriter::resume(folder.path(), 2)?;
    writer.scalars(2, &[("a".into(), 2.0)])?;
    assert_eq!(read_scalars(&path)?.len(), 2);
    // A truncated record does not count as damage.
    let whole = std::fs::read(&path)?;
    std::fs::write(&path, &whole[..whole.len() - 3])?;
    assert_eq!(EventWriter::repair(folder.path())?, None);
    Ok(())
}
