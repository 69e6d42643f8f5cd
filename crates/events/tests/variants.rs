//! Variants of formats: what a file states is followed; what it does not state is detected from its content
//! or must be specified; skipped content is counted; and other files are refused by name.

use tks_events::formats::{Camera, Format, PassedOver, ReadOptions, Reading, read_bytes};
use tks_events::{EventError, SensorSize};

fn reading(bytes: &[u8]) -> Reading {
    read_bytes("some", bytes, &ReadOptions::default()).unwrap()
}

/// The error message, strict and lenient, by content and with a specified format.
fn refusal(bytes: &[u8], format: Option<Format>) -> String {
    let [strict, lenient] = [false, true].map(|lenient| {
        let options = ReadOptions { lenient, format, ..ReadOptions::default() };
        read_bytes("some.raw", bytes, &options).map(|_| ()).unwrap_err().to_string()
    });
    assert_eq!(strict, lenient);
    assert!(strict.starts_with("some.raw: byte "), "{strict}");
    strict
}

fn passed_over(reading: &Reading) -> Vec<(&str, u64)> {
    reading.left_out.passed_over.iter().map(|PassedOver { kind, count }| (kind.as_str(), *count)).collect()
}

fn events(reading: &Reading) -> Vec<(i64, u16, u16, u8)> {
    let events = reading.stream.events();
    (0..events.len()).map(|i| (events.t[i], events.x[i], events.y[i], events.p[i])).collect()
}

fn size(width: u16, height: u16) -> SensorSize {
    SensorSize { width, height }
}

const V2E: &str = "#!AER-DAT2.0\r\n# This is a raw AE data file created by AEDat2Output in v2e\r\n# Timestamps tick is 1 us\r\n";

/// An AEDAT 2.0 file with these addresses, 100 us apart.
fn aedat2(header: &str, addresses: &[u32]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    for (i, address) in addresses.iter().enumerate() {
        bytes.extend(address.to_be_bytes());
        bytes.extend((100 * i as u32).to_be_bytes());
    }
    bytes
}

fn davis(x: u32, y: u32) -> u32 {
    (y << 22) | (x << 12) | (1 << 11)
}

#[test]
fn aedat2_without_a_camera_is_told_by_its_addresses() {
    let header = "#!AER-DAT2.0\r\n# Timestamps tick is 1 us\r\n";
    for (header, addresses, first, sensor) in [
        (V2E, vec![davis(143, 167), davis(345, 259)], (0, 143, 167, 1), size(346, 260)),
        (V2E, vec![davis(143, 167), davis(239, 179)], (0, 143, 167, 1), size(240, 180)),
        (header, vec![davis(143, 167), davis(345, 259), 0x8000_0123], (0, 143, 167, 1), size(346, 260)),
        (V2E, vec![(100 << 11) | (50 << 1) | 1, (479 << 11) | (639 << 1)], (0, 50, 100, 1), size(640, 480)),
        (header, vec![(100 << 8) | (50 << 1) | 1, 0x8000], (0, 50, 100, 1), size(128, 128)),
    ] {
        let reading = reading(&aedat2(header, &addresses));
        assert_eq!((events(&reading)[0], reading.stream.sensor()), (first, sensor));
        assert_eq!(reading.stream.len(), 2 - usize::from(addresses[1] == 0x8000));
    }
    // v2e does not write DVS128, and no camera has both kinds of bits.
    for bytes in [aedat2(V2E, &[0x0101, 0x0203]), aedat2(header, &[davis(143, 167), (100 << 8) & 0x7bff | 3])]
    {
        let problem = refusal(&bytes, None);
        assert!(problem.contains("--camera") && problem.contains("davis346"), "{problem}");
    }
    let bytes = aedat2(V2E, &[0x0101, 0x0203]);
    let options = ReadOptions { camera: Some(Camera::Dvs128), ..ReadOptions::default() };
    assert_eq!(read_bytes("some", &bytes, &options).unwrap().stream.events().y, [1, 2]);
    // The given camera takes precedence.
    let bytes = aedat2(header, &[davis(143, 167)]);
    let options = ReadOptions { camera: Some(Camera::Davis346), ..ReadOptions::default() };
    assert_eq!(read_bytes("some", &bytes, &options).unwrap().stream.sensor(), size(346, 260));
}

#[test]
fn aedat2_counts_what_it_passes_over_and_refuses_cameras_that_it_does_not_know() {
    let header = "#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n";
    let addresses =
        [davis(1, 2), 0x8000_0000 | davis(3, 4) & !0xc00, 0x8000_0c00, 0x8000_0c00, davis(5, 6) | 0x400];
    let found = reading(&aedat2(header, &addresses));
    assert_eq!(events(&found), [(0, 1, 2, 1)]);
    let expected = [("special events", 1), ("frame samples (APS)", 1), ("IMU samples", 2)];
    assert_eq!(passed_over(&found), expected);
    let header = "#!AER-DAT2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n";
    let problem = refusal(&aedat2(header, &[1, 2]), None);
    assert!(problem.contains("CochleaAMS1c") && problem.contains("--camera"), "{problem}");
    // Without an `AEChip`, the interface may name the camera.
    let header = "#!AER-DAT2.0\r\n# HardwareInterface: DVS128-V1 0298\r\n";
    assert_eq!(events(&reading(&aedat2(header, &[(9 << 8) | (7 << 1)]))), [(0, 7, 9, 0)]);
}

#[test]
fn one_bad_event_of_a_davis_is_left_out_at_its_byte() {
    let header = "#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.Davis346blue\r\n";
    let bytes = aedat2(header, &[davis(1, 2), 0x8000_0000, davis(400, 2), davis(3, 259)]);
    let at = header.len() + 16;
    let problem = read_bytes("some", &bytes, &ReadOptions::default()).unwrap_err();
    assert!(matches!(problem, EventError::File { offset, event: 1, .. } if offset == at as u64), "{problem}");
    let options = ReadOptions { lenient: true, ..ReadOptions::default() };
    let reading = read_bytes("some", &bytes, &options).unwrap();
    assert_eq!(events(&reading), [(0, 1, 2, 1), (300, 3, 259, 1)]);
    let bad = reading.left_out.bad_events.unwrap();
    assert_eq!((bad.count, bad.offset), (1, at as u64));
}

#[test]
fn times_that_are_none_are_refused() {
    let mut bytes = b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n".to_vec();
    for i in 0..100u32 {
        bytes.extend([0, 0, 1, 1]);
        bytes.extend((i % 2 * 0xf000_0000).to_be_bytes());
    }
    assert!(refusal(&bytes, None).contains("run backwards"));
}

#[test]
fn aedat1_has_records_of_six_bytes() {
    let mut bytes = b"#!AER-DAT1.0\r\n# Timestamps tick is 1 us\r\n".to_vec();
    for (address, t) in
        [((126u16 << 8) | (71 << 1) | 1, 3407u32), (0x8000, 4000), ((93 << 8) | (12 << 1), 99_722)]
    {
        bytes.extend(address.to_be_bytes());
        bytes.extend(t.to_be_bytes());
    }
    let found = reading(&bytes);
    assert_eq!((found.format, found.stream.sensor()), (Format::Aedat1, size(128, 128)));
    assert_eq!(events(&found), [(3407, 71, 126, 1), (99_722, 12, 93, 0)]);
    assert_eq!(passed_over(&found), [("special events", 1)]);
    let options = ReadOptions { camera: Some(Camera::Davis346), ..ReadOptions::default() };
    assert!(read_bytes("some", &bytes, &options).unwrap_err().to_string().contains("16 bits"));
}

#[test]
fn evt21_words_are_laid_out_as_the_header_says() {
    // A time, five ON pixels in row 7 starting at column 32, two OFF pixels in row 9.
    let words = [(0x8000_000au32, 0u32), (0x10c1_0007, 0x25), (0x0101_0009, 3), (0xa000_0001, 0)];
    let file = |header: &str, is_legacy: bool| {
        let mut bytes = header.as_bytes().to_vec();
        for (upper, lower) in words {
            let (first, second) = if is_legacy { (upper, lower) } else { (lower, upper) };
            bytes.extend(first.to_le_bytes());
            bytes.extend(second.to_le_bytes());
        }
        bytes
    };
    let expected =
        events(&reading(&file("% format EVT21;height=320;width=320;endianness=little\n% end\n", false)));
    assert_eq!(expected.len(), 5);
    assert_eq!(expected[0], (643, 32, 7, 1));
    for (header, is_legacy) in [
        ("% format EVT21;height=320;width=320;endianness=legacy\n% end\n", true),
        ("% evt 2.1\n% endianness legacy\n% end\n", true),
        // As written by the systems before the GenX320, if nothing is stated.
        ("% evt 2.1\n% system_ID 49\n% end\n", true),
        ("% evt 2.1\n% end\n", true),
        ("% evt 2.1\n% end\n", false),
    ] {
        let found = reading(&file(header, is_legacy));
        assert_eq!(events(&found), expected, "{header}");
        assert_eq!(passed_over(&found), [("trigger events", 1)]);
    }
    let bytes = file("% format EVT21;endianness=big\n% end\n", false);
    assert!(refusal(&bytes, None).contains("endianness `big`"));
}

#[test]
fn raw_files_without_a_format_are_known_by_their_system() {
    let words = [0x8000_000au32, 0x10c3_2032, 0xa000_0000, 0xe000_0000];
    let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let file = |header: &[u8]| [header, &words].concat();
    let found = reading(&file(b"% integrator_name Prophesee\n% system_ID 21\n% end\n"));
    assert_eq!((found.format, found.stream.sensor()), (Format::Evt2, size(640, 480)));
    assert_eq!(events(&found), [(643, 100, 50, 1)]);
    assert_eq!(passed_over(&found), [("trigger events", 1), ("monitoring words", 1)]);
    let asked = file(b"% serial_number 7\n% end\n");
    assert!(refusal(&asked, None).contains("--format evt2"));
    let options = ReadOptions { format: Some(Format::Evt2), ..ReadOptions::default() };
    assert_eq!(read_bytes("some", &asked, &options).unwrap().stream.len(), 1);
    assert!(refusal(&file(b"% evt 4.0\n% end\n"), None).contains("EVT4.0, which is not read"));
}

#[test]
fn words_of_no_known_type_are_counted_and_too_many_are_refused() {
    let file = |unknown: usize| {
        let mut bytes = b"% evt 2.0\n% geometry 640x480\n% end\n".to_vec();
        for word in [0x0000_0001u32, 0x8000_0001].into_iter().chain([0x1000_0801; 20]) {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0x7000_0000u32.to_le_bytes().repeat(unknown));
        bytes
    };
    let found = reading(&file(3));
    assert_eq!(found.stream.len(), 20);
    let expected = [("events before the first time", 1), ("words of the unknown type 7", 3)];
    assert_eq!(passed_over(&found), expected);
    assert!(refusal(&file(40), None).contains("40 of 62 words are of no type"));
}

#[test]
fn evt3_counts_triggers_and_refuses_times_that_run_backwards_all_along() {
    let file = |words: &[u16]| {
        let mut bytes = b"% evt 3.0\n% geometry 1280x720\n% end\n".to_vec();
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes
    };
    let found = reading(&file(&[0x2003, 0x8001, 0x6005, 0x0004, 0x2803, 0xa001, 0xe014, 0x7000]));
    assert_eq!(events(&found), [(4096 + 5, 3, 4, 1)]);
    let expected = [("events before the first time", 1), ("trigger events", 1), ("monitoring words", 1)];
    assert_eq!(passed_over(&found), expected);
    assert!(refusal(&file(&[0x8400, 0x0004, 0x2803, 0x8100].repeat(20)), None).contains("run backwards"));
}

#[test]
fn dat_files_of_other_events_are_refused_by_name() {
    let file = |header: &[u8], kind: u8, place: u32| {
        let mut bytes = header.to_vec();
        bytes.extend([kind, 8, 7, 0, 0, 0]);
        bytes.extend(place.to_le_bytes());
        bytes
    };
    let v2 = 5 | (6 << 14) | (1 << 28);
    for kind in [0, 12] {
        assert_eq!(events(&reading(&file(b"% Version 2\n% end\n", kind, v2))), [(7, 5, 6, 1)]);
    }
    // No version: the address determines it.
    assert_eq!(events(&reading(&file(b"% Data file\n", 0, v2))), [(7, 5, 6, 1)]);
    assert_eq!(events(&reading(&file(b"% Data file\n", 0, 5 | (6 << 9) | (1 << 17)))), [(7, 5, 6, 1)]);
    // Evidence from one event is not hidden by a further one.
    let one = file(b"% Data file\n", 0, v2);
    let twice = [&one[..], &one[one.len() - 8..]].concat();
    assert_eq!(events(&reading(&twice)), [(7, 5, 6, 1); 2]);
    assert!(refusal(&file(b"% Version 2\n", 14, v2), None).contains("trigger events (type 14)"));
    assert!(refusal(&file(b"% Version 2\n", 40, v2), None).contains("events of type 40"));
    assert!(refusal(&file(b"% Version 3\n", 12, v2), None).contains("version 3 is not read"));
}

/// A 32-bit clock overflows every 72 minutes.
#[test]
fn a_long_recording_whose_clock_turns_over_some_times_is_read() {
    let mut bytes = b"% Version 2\n% end\n\0\x08".to_vec();
    let step = u32::MAX / 128;
    for i in 0..640 {
        bytes.extend((i % 128 * step).to_le_bytes());
        bytes.extend((5u32 | (6 << 14)).to_le_bytes());
    }
    let found = reading(&bytes);
    let t = found.stream.events().t;
    assert_eq!((t.len(), t[127], t[128]), (640, i64::from(127 * step), 1 << 32));
    assert_eq!(t[639], (4 << 32) + i64::from(127 * step));
}

/// An AEDAT 3.1 packet: type, source, and events of any size.
fn packet(kind: i16, source: i16, events: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), source.to_le_bytes()].concat();
    let (size, count) = (events[0].len() as u32, events.len() as u32);
    for number in [size, 4, 0, count, count, count] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(events.concat());
    bytes
}

fn polarity(x: u32, y: u32, t: u32, valid: u32) -> Vec<u8> {
    [((x << 17) | (y << 2) | 2 | valid).to_le_bytes(), t.to_le_bytes()].concat()
}

#[test]
fn aedat3_reads_one_camera_on_its_sensor_and_counts_the_rest() {
    let header =
        "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#Source 2: DVS128\r\n#!END-HEADER\r\n";
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(packet(0, 2, &vec![vec![1; 8]; 2]));
    bytes.extend(packet(3, 1, &vec![vec![0; 36]; 5]));
    bytes.extend(packet(1, 1, &[polarity(200, 100, 5, 1), polarity(1, 1, 6, 0)]));
    bytes.extend(packet(1, 2, &[polarity(3, 4, 7, 1)]));
    bytes.extend(packet(1, 1, &[polarity(201, 101, 8, 1)]));
    let found = reading(&bytes);
    assert_eq!(events(&found), [(5, 200, 100, 1), (8, 201, 101, 1)]);
    assert_eq!(found.stream.sensor(), size(240, 180));
    let expected = [
        ("invalid events", 1),
        ("special events", 2),
        ("IMU samples (6 axes)", 5),
        ("events of another camera (source 2)", 1),
    ];
    assert_eq!(passed_over(&found), expected);
    let packed = header.replace("RAW", "SerializedTS");
    assert!(refusal(packed.as_bytes(), None).contains("SerializedTS"));
}

#[test]
fn a_cut_packet_of_aedat3_is_placed_behind_its_last_whole_event() {
    let mut bytes = b"#!AER-DAT3.1\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n".to_vec();
    let start = bytes.len() as u64 + 28;
    bytes.extend(packet(1, 1, &[polarity(1, 2, 5, 1), polarity(3, 4, 6, 1), polarity(5, 6, 7, 1)]));
    bytes.truncate(bytes.len() - 3);
    let error = read_bytes("some", &bytes, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, EventError::File { offset, .. } if offset == start + 2 * 8), "{error}");
    assert!(error.to_string().contains("2 of its 3 events are there"), "{error}");
    let lenient = read_bytes("some", &bytes, &ReadOptions { lenient: true, ..ReadOptions::default() });
    assert_eq!(events(&lenient.unwrap()), [(5, 1, 2, 1), (6, 3, 4, 1)]);
}

#[test]
fn aedat3_sensors_are_those_of_the_source() {
    for (source, sensor) in [
        ("#Source 1: DVS128", size(128, 128)),
        ("#Source 1: DAVIS346B", size(346, 260)),
        ("#Source 1: DAVISHet640", size(640, 480)),
        ("#Source 1: DAVIS208", size(208, 192)),
        ("#Source 1: eDVS", size(128, 128)),
        ("#Source 1: DVXplorer", size(640, 480)),
        // Re-recorded from a file.
        ("#Source 1: File\r\n#-Source 0: DAVIS240C", size(240, 180)),
        // The line of another source.
        ("#Source 1: Unheard-of\r\n#Source 2: DVS128", size(11, 13)),
    ] {
        let mut bytes = format!("#!AER-DAT3.1\r\n{source}\r\n#!END-HEADER\r\n").into_bytes();
        bytes.extend(packet(1, 1, &[polarity(10, 12, 5, 1)]));
        assert_eq!(reading(&bytes).stream.sensor(), sensor, "{source}");
    }
}

#[test]
fn event_streams_of_other_types_are_refused_by_name() {
    let file = |major: u8, kind: u8, data: &[u8]| {
        [b"Event Stream", &[major, 0, 0, kind, 9, 0, 9, 0][..], data].concat()
    };
    assert!(refusal(&file(2, 0, &[]), None).contains("generic events (type 0)"));
    assert!(refusal(&file(2, 4, &[]), None).contains("colour events (type 4)"));
    assert!(refusal(&file(1, 1, &[]), None).contains("version 1"));
    let found = reading(&file(2, 2, &[0b10, 1, 0, 2, 0, 0b01, 3, 0, 4, 0]));
    assert_eq!(events(&found), [(0, 1, 2, 1)]);
    assert_eq!(passed_over(&found), [("exposure measurements", 1)]);
}

#[test]
fn other_files_are_refused_by_name_and_never_taken_for_atis() {
    let padded = |start: &[u8]| {
        let mut bytes = start.to_vec();
        bytes.resize(500, 0xf1);
        bytes
    };
    for (start, name) in [
        (&b"\x1f\x8b\x08\0"[..], "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"#ROSBAG V2.0\n", "ROS bag"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x89MCAP0\r\n", "MCAP"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x7fELF", "ELF"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "MATLAB 7.3"),
        (b"\0\x05\x16\x07\0\x02\0\0", "macOS"),
        (b"\0\0\0\x18ftypmp42", "MP4"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12", "Git LFS"),
    ] {
        let bytes = padded(start);
        assert_eq!(Format::detect(&bytes), None, "{name}");
        assert!(refusal(&bytes, None).contains(name), "{name}");
        assert!(
            refusal(&bytes, Some(Format::Atis)).contains(name),
            "{name} in a data set of ATIS recordings"
        );
    }
    let pickle = b"\x80\x03]q\0(K\x01K\x02e.";
    assert!(refusal(pickle, None).contains("Python pickle"));
    assert!(refusal(&[0; 100], None).contains("zeros"));
    // Random bytes: rows that no ATIS has, or times that run backwards.
    let noise: Vec<u8> = (0..500u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(refusal(&noise, None).contains("no format of events"));
}

#[test]
fn zeros_at_the_end_are_lost_and_not_events() {
    let whole = [1u8, 2, 0x80, 0, 9].repeat(4);
    let cut = [&whole[..], &[0; 40]].concat();
    let options = ReadOptions { format: Some(Format::Atis), ..ReadOptions::default() };
    let problem = read_bytes("some.bin", &cut, &options).unwrap_err().to_string();
    assert!(problem.starts_with("some.bin: byte 20, after 4 events: there are only zeros"), "{problem}");
    let reading = read_bytes("some.bin", &cut, &ReadOptions { lenient: true, ..options.clone() }).unwrap();
    let lost = reading.left_out.lost.unwrap();
    assert_eq!((reading.stream.len(), lost.offset, lost.bytes), (4, 20, 40));
    // A whole file of zeros contains nothing.
    assert!(refusal(&[0; 100], Some(Format::Atis)).contains("byte 0"));
}
