//! Large recordings: decoding gives the same events as plain loops, written here from the formats'
//! definitions.

use std::path::Path;

use tks_events::EventStream;
use tks_events::formats::{Format, ReadOptions, read, read_into};

type Row = (i64, u16, u16, u8);

/// Enough for columns larger than any cache.
const RECORDS: u64 = 2_700_000;

fn pseudo_random(i: u64) -> u64 {
    let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 8
}

/// Reads `bytes` into fresh and into used memory. `width` is the sensor's width stated in the file, if any.
fn check(name: &str, format: Format, bytes: &[u8], expected: &[Row], width: Option<u16>) {
    assert!(expected.len() as u64 > RECORDS / 2, "{name}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    std::fs::write(&path, bytes).unwrap();
    // Otherwise, the sensor is the smallest that contains all events, as seen while decoding.
    let width = width.or(expected.iter().map(|row| row.1 + 1).max()).unwrap();
    let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
    let fresh = read(&path, &options).unwrap().stream;
    compare(&format!("{name}, fresh memory"), &fresh, expected);
    assert_eq!(fresh.sensor().width, width, "{name}");
    let again = read_into(&path, &options, fresh).unwrap().stream;
    compare(&format!("{name}, used memory"), &again, expected);
    assert_eq!(again.sensor().width, width, "{name}");
}

fn compare(name: &str, found: &EventStream, expected: &[Row]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let events = found.events();
    for (i, &row) in expected.iter().enumerate() {
        assert_eq!((events.t[i], events.x[i], events.y[i], events.p[i]), row, "{name}, event {i}");
    }
}

#[test]
fn atis_with_a_clock_that_turns_over_again_and_again() {
    let (mut bytes, mut expected, mut later) = (Vec::new(), Vec::new(), 0);
    for i in 0..RECORDS {
        let (random, t) = (pseudo_random(i), (i % 100_000 / 40) as u32);
        if i % 100_000 == 99_999 || i == 400_001 || i == 400_002 {
            bytes.extend([0, 240, 0, 0, 0]);
            later += 8192;
            continue;
        }
        let (x, y, p) = (random as u8, (random >> 8) as u8 % 240, (random >> 16) as u8 & 1);
        let [_, high, middle, low] = t.to_be_bytes();
        bytes.extend([x, y, high | (p << 7), middle, low]);
        expected.push((i64::from(t) + later, u16::from(x), u16::from(y), p));
    }
    check("ATIS", Format::Atis, &bytes, &expected, None);
}

#[test]
fn evt2_with_a_clock_that_turns_over_on_the_way() {
    let mut bytes = b"% evt 2.0\n% end\n".to_vec();
    let (mut expected, mut time, mut turns, mut known) = (Vec::new(), 0u32, 0, false);
    for i in 0..RECORDS {
        let random = pseudo_random(i) as u32;
        // None at the start and for a long time, then many, few, and some that overflow.
        let high = match i {
            0..200_000 => i == 70,
            200_000..500_000 => random.is_multiple_of(3),
            _ => i % 170 == 0 || i == 700_000 || i == 700_001,
        };
        if high {
            let before = time;
            time = match i {
                700_000 => 0x0fff_fff0,
                700_001 => 5,
                _ => time + 1,
            };
            turns += i64::from(known && before > time) << 34;
            known = true;
            bytes.extend((0x8000_0000 | time).to_le_bytes());
        } else if random.is_multiple_of(1001) {
            // A trigger.
            bytes.extend(0xa000_0000u32.to_le_bytes());
        } else {
            let (low, x, y, p) = ((random >> 3) & 63, (random >> 9) % 1280, random % 720, (random >> 5) & 1);
            bytes.extend(((p << 28) | (low << 22) | (x << 11) | y).to_le_bytes());
            if known {
                let t = turns + (i64::from(time) << 6) + i64::from(low);
                expected.push((t, x as u16, y as u16, p as u8));
            }
        }
    }
    check("EVT 2.0", Format::Evt2, &bytes, &expected, None);
}

#[test]
fn formats_of_eight_bytes_a_record() {
    let mut dvs128 = b"#!AER-DAT2.0\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\n".to_vec();
    let mut davis = b"#!AER-DAT2.0\n# AEChip: DAVIS240C\n".to_vec();
    let mut dat1 = b"% Version 1\n\x00\x08".to_vec();
    let mut dat2 = b"% Version 2\n\x00\x08".to_vec();
    let mut aedat3 = b"#!AER-DAT3.1\n#!END-HEADER\n\x01\x00\x01\x00".to_vec();
    for number in [8, 4, 3, RECORDS as u32, RECORDS as u32, 0] {
        aedat3.extend(number.to_le_bytes());
    }
    let (mut all, mut marked) = (Vec::new(), Vec::new());
    for i in 0..RECORDS {
        let (random, t) = (pseudo_random(i) as u32, 5 + 3 * i as u32);
        let (x, y, p) = (random & 0x7f, (random >> 7) & 0x7f, (random >> 14) & 1);
        // Bits outside all fields.
        let noise = random >> 24;
        // Special or invalid, sporadically and in long runs: two kinds in a DAVIS file.
        let special = (random >> 16).is_multiple_of(50) || (300_000..600_000).contains(&i) && i % 3 == 0;
        let mark = u32::from(special);
        let kinds = [mark & i as u32 & 1, mark & !i as u32 & 1];
        dvs128.extend(((noise << 16) | (mark << 15) | (y << 8) | (x << 1) | p).to_be_bytes());
        dvs128.extend(t.to_be_bytes());
        let address = (kinds[0] << 31) | (y << 22) | (x << 12) | (p << 11) | (kinds[1] << 10) | noise;
        davis.extend(address.to_be_bytes());
        davis.extend(t.to_be_bytes());
        dat1.extend(t.to_le_bytes());
        dat1.extend(((noise << 18) | (p << 17) | (y << 9) | x).to_le_bytes());
        dat2.extend(t.to_le_bytes());
        dat2.extend((((noise & 7) << 29) | (p << 28) | (y << 14) | x).to_le_bytes());
        aedat3.extend(((x << 17) | (y << 2) | (p << 1) | (1 - mark)).to_le_bytes());
        aedat3.extend(t.to_le_bytes());
        let row = (i64::from(t), x as u16, y as u16, p as u8);
        all.push(row);
        if !special {
            marked.push(row);
        }
    }
    check("DVS128", Format::Aedat2, &dvs128, &marked, Some(128));
    check("DAVIS", Format::Aedat2, &davis, &marked, Some(240));
    check("DAT 1", Format::Dat, &dat1, &all, None);
    check("DAT 2", Format::Dat, &dat2, &all, None);
    let later: Vec<Row> = marked.iter().map(|&(t, x, y, p)| (t + (3 << 31), x, y, p)).collect();
    check("AEDAT 3.1", Format::Aedat3, &aedat3, &later, None);
}

/// A Zstandard packet that decompresses to far more events than it could contain is refused before
/// decompression.
#[test]
fn packets_that_unfold_to_no_end_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/event-fixtures/aedat4");
    let whole = std::fs::read(folder.join("zstd.aedat4")).unwrap();
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let first = 18 + number(14);
    // A frame with a window of 2 MiB, with blocks that claim 128 KiB of one byte.
    let mut packet = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for i in 0..1000u32 {
        let header = u32::from(i == 999) | (1 << 1) | ((128 << 10) << 3);
        packet.extend(&header.to_le_bytes()[..3]);
        packet.push(0);
    }
    let mut bytes = whole[..first + 4].to_vec();
    bytes.extend((packet.len() as u32).to_le_bytes());
    bytes.extend(&packet);
    let problem =
        tks_events::formats::read_bytes("bomb", &bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("4006 bytes unfold to more than 4071536"), "{problem}");
}
