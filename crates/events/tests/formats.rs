//! Written files are read back, and broken ones give errors.

use std::path::Path;

use proptest::prelude::*;
use tks_events::formats::{Format, ReadOptions, aedat3, read, read_bytes, write, write_bytes};
use tks_events::{EventError, EventStream, SensorSize};

const WRITTEN: [Format; 5] = [Format::Atis, Format::Evt2, Format::Evt3, Format::Npz, Format::Text];

/// Sorted recordings that every written format can represent, with long silences.
fn recordings() -> impl Strategy<Value = EventStream> {
    let step = prop_oneof![Just(0i64), 0..100i64, 0..100_000i64, Just(9_000_000i64)];
    prop::collection::vec((step, 0..256u16, 0..240u16, 0..2u8), 0..60).prop_map(|events| {
        let mut now = 0;
        let (mut t, mut x, mut y, mut p) = (vec![], vec![], vec![], vec![]);
        for (step, column, row, polarity) in events {
            now += step;
            t.push(now);
            x.push(column);
            y.push(row);
            p.push(polarity);
        }
        EventStream::new(SensorSize { width: 256, height: 240 }, t, x, y, p).unwrap()
    })
}

/// A MATLAB v5 file with four floating-point rows.
fn matlab(t: &[i64], x: &[u16], y: &[u16], p: &[u8]) -> Vec<u8> {
    let bytes = |values: Vec<f64>| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    matlab_rows(
        t.len(),
        [
            ("ts", 9, bytes(t.iter().map(|&t| t as f64).collect())),
            ("x", 9, bytes(x.iter().map(|&x| x.into()).collect())),
            ("y", 9, bytes(y.iter().map(|&y| y.into()).collect())),
            ("pol", 9, bytes(p.iter().map(|&p| p.into()).collect())),
        ],
    )
}

/// A MATLAB v5 file with rows of `count` numbers: name, type and bytes of each.
fn matlab_rows(count: usize, rows: [(&str, u32, Vec<u8>); 4]) -> Vec<u8> {
    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    for (name, kind, values) in rows {
        let dims = [1u32.to_le_bytes(), (count as u32).to_le_bytes()].concat();
        let parts = [
            element(6, &[6, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &dims),
            element(1, name.as_bytes()),
            element(kind, &values),
        ];
        bytes.extend(element(14, &parts.concat()));
    }
    bytes
}

/// A file of each format: written ones, and small ones assembled here.
fn samples() -> Vec<(Format, Vec<u8>)> {
    let t: Vec<i64> = (0..40).map(|i| 37 * i).collect();
    let x: Vec<u16> = (0..40).map(|i| i % 100).collect();
    let y: Vec<u16> = (0..40).map(|i| (7 * i) % 90).collect();
    let p: Vec<u8> = (0..40).map(|i| (i % 2) as u8).collect();
    let stream =
        EventStream::new(SensorSize { width: 100, height: 90 }, t.clone(), x.clone(), y.clone(), p.clone())
            .unwrap();
    let mut samples: Vec<_> =
        WRITTEN.iter().map(|&format| (format, write_bytes(stream.events(), format).unwrap())).collect();

    let mut aedat2 = b"#!AER-DAT2.0\r\n# Timestamps tick is 1 us\r\n".to_vec();
    let mut aedat1 = b"#!AER-DAT1.0\r\n".to_vec();
    let mut davis = b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n".to_vec();
    let mut aedat3 = b"#!AER-DAT3.1\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n".to_vec();
    aedat3.extend([1, 0, 1, 0]);
    for number in [8u32, 4, 0, 40, 40, 40] {
        aedat3.extend(number.to_le_bytes());
    }
    let mut dat = b"% Version 2\n% Width 100\n% Height 90\n".to_vec();
    dat.extend([0, 8]);
    let mut evt3 = b"% evt 3.0\n% geometry 100x90\n".to_vec();
    let mut evt21 = b"% evt 2.1\n% geometry 132x90\n".to_vec();
    let mut es = b"Event Stream\x02\x00\x00\x01\x64\x00\x5a\x00".to_vec();
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': [('x', '<i2'), ('y', '>u2'), ('t', '<f8'), ('p', '|b1')], 'fortran_order': False, 'shape': (40,), }\n";
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    for i in 0..40 {
        let (t32, x32, y32, p32) = (t[i] as u32, u32::from(x[i]), u32::from(y[i]), u32::from(p[i]));
        aedat2.extend(((y32 << 8) | (x32 << 1) | p32).to_be_bytes());
        aedat2.extend(t32.to_be_bytes());
        aedat1.extend(((y[i] << 8) | (x[i] << 1) | u16::from(p[i])).to_be_bytes());
        aedat1.extend(t32.to_be_bytes());
        davis.extend(((y32 << 22) | (x32 << 12) | (p32 << 11)).to_be_bytes());
        davis.extend(t32.to_be_bytes());
        // A sample of a frame and a special event, to be skipped.
        davis.extend((0x8000_0000u32 | (y32 << 22)).to_be_bytes());
        davis.extend(t32.to_be_bytes());
        davis.extend(((y32 << 22) | 0x400).to_be_bytes());
        davis.extend(t32.to_be_bytes());
        aedat3.extend(((x32 << 17) | (y32 << 2) | (p32 << 1) | 1).to_le_bytes());
        aedat3.extend(t32.to_le_bytes());
        dat.extend(t32.to_le_bytes());
        dat.extend((x32 | (y32 << 14) | (p32 << 28)).to_le_bytes());
        evt21.extend(((u64::from(0x8000_0000 | (t32 >> 6)) << 32) | 1).to_le_bytes());
        let upper = (p32 << 28) | ((t32 & 0x3f) << 22) | (x32 << 11) | y32;
        evt21.extend(((u64::from(upper) << 32) | 1).to_le_bytes());
        for word in [0x8000 | (t32 >> 12), 0x6000 | (t32 & 0xfff), y32, 0x2000 | (p32 << 11) | x32] {
            evt3.extend((word as u16).to_le_bytes());
        }
        let passed = if i == 0 { 0 } else { (t[i] - t[i - 1]) as u8 };
        es.push((passed << 1) | p[i]);
        es.extend(x[i].to_le_bytes());
        es.extend(y[i].to_le_bytes());
        npy.extend(x[i].to_le_bytes());
        npy.extend(y[i].to_be_bytes());
        npy.extend((t[i] as f64).to_le_bytes());
        npy.push(p[i]);
    }
    samples.extend([
        (Format::Aedat1, aedat1),
        (Format::Aedat2, aedat2),
        (Format::Aedat2, davis),
        (Format::Aedat3, aedat3),
        (Format::Dat, dat),
        (Format::Evt21, evt21),
        (Format::Evt3, evt3),
        (Format::Es, es),
        (Format::Npy, npy),
        (Format::Matlab, matlab(&t, &x, &y, &p)),
    ]);
    samples
}

#[test]
fn every_format_is_told_by_its_content_and_holds_the_same_events() {
    let mut seen = std::collections::HashSet::new();
    let samples = samples();
    let expected = read_bytes("first", &samples[0].1, &ReadOptions::default()).unwrap().stream;
    for (format, bytes) in &samples {
        let reading = read_bytes("sample", bytes, &ReadOptions::default()).unwrap();
        assert_eq!(reading.format, *format);
        assert!(!reading.left_out.is_faulty());
        let (found, expected) = (reading.stream.events(), expected.events());
        assert_eq!(
            (found.t, found.x, found.y, found.p),
            (expected.t, expected.x, expected.y, expected.p),
            "{format:?}"
        );
        seen.insert(*format);
    }
    // AEDAT 4 and HDF5 are not assembled by hand: they have fixtures.
    assert_eq!(seen.len(), Format::ALL.len() - 2);
}

#[test]
fn vectors_of_words_are_events_side_by_side() {
    // EVT 3.0: base 10, ON; twelve pixels, of which the 1st, 3rd and 12th; then eight, of which the 2nd.
    let mut bytes = b"% evt 3.0\n".to_vec();
    for word in [0x8001u16, 0x6002, 0x0005, 0x380a, 0x4805, 0x5002, 0x2001] {
        bytes.extend(word.to_le_bytes());
    }
    let stream = read_bytes("evt3", &bytes, &ReadOptions::default()).unwrap().stream;
    let events = stream.events();
    assert_eq!(events.x, [10, 12, 21, 23, 1]);
    assert_eq!((events.y, events.p), (&[5; 5][..], &[1, 1, 1, 1, 0][..]));
    assert!(events.t.iter().all(|&t| t == 4098));
    // EVT 2.1: 32 pixels starting at x = 3, of which the first and the last.
    let mut bytes = b"% evt 2.1\n".to_vec();
    bytes.extend(((0x8000_0001u64) << 32).to_le_bytes());
    bytes.extend(((u64::from((1u32 << 28) | (9 << 22) | (3 << 11) | 7) << 32) | 0x8000_0001).to_le_bytes());
    let stream = read_bytes("evt21", &bytes, &ReadOptions::default()).unwrap().stream;
    assert_eq!((stream.events().x, stream.events().t), (&[3, 34][..], &[73, 73][..]));
}

#[test]
fn clocks_that_start_anew_go_on() {
    let mut aedat2 = b"#!AER-DAT2.0\n".to_vec();
    for t in [u32::MAX - 1, 3] {
        aedat2.extend([0, 0, 0, 0]);
        aedat2.extend(t.to_be_bytes());
    }
    let stream = read_bytes("aedat", &aedat2, &ReadOptions::default()).unwrap().stream;
    assert_eq!(stream.events().t, [i64::from(u32::MAX) - 1, (1 << 32) + 3]);
    let mut evt2 = b"% evt 2.0\n".to_vec();
    for word in [0x8fff_ffffu32, 0x0000_0000, 0x8000_0000, 0x0040_0000] {
        evt2.extend(word.to_le_bytes());
    }
    let stream = read_bytes("evt2", &evt2, &ReadOptions::default()).unwrap().stream;
    assert_eq!(stream.events().t, [0x0fff_ffff << 6, (1 << 34) + 1]);
    let mut evt3 = b"% evt 3.0\n".to_vec();
    for word in [0x8fffu16, 0x6001, 0x2000, 0x8000, 0x2000] {
        evt3.extend(word.to_le_bytes());
    }
    let stream = read_bytes("evt3", &evt3, &ReadOptions::default()).unwrap().stream;
    assert_eq!(stream.events().t, [0x00ff_f001, 1 << 24]);
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Long enough to be divided into parts for several threads, with special events in some of them.
#[test]
fn special_events_leave_no_gap_between_the_parts_of_threads() {
    let mut bytes = b"#!AER-DAT2.0\n".to_vec();
    let mut expected = Vec::new();
    for i in 0..700_000u32 {
        let special = i % 997 == 3 || (300_000..450_000).contains(&i) && i % 2 == 0;
        let (x, y, p) = (i % 128, i / 7 % 128, i % 3 / 2);
        bytes.extend(((y << 8) | (x << 1) | p | u32::from(special) << 15).to_be_bytes());
        bytes.extend(i.to_be_bytes());
        if !special {
            expected.push((i64::from(i), x as u16, y as u16, p as u8));
        }
    }
    for threads in [1, 4] {
        let stream =
            with_threads(threads, || read_bytes("long", &bytes, &ReadOptions::default())).unwrap().stream;
        let events = stream.events();
        assert_eq!(stream.len(), expected.len());
        for (i, &event) in expected.iter().enumerate() {
            assert_eq!(
                (events.t[i], events.x[i], events.y[i], events.p[i]),
                event,
                "event {i}, {threads} threads"
            );
        }
    }
}

/// The header of an AEDAT 4 file, without the position of its table of packets, and its first packet.
fn header_and_packet(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let first = 18 + number(14);
    let packet = &bytes[first..first + 8 + number(first + 4)];
    let mut header = bytes[..first].to_vec();
    let table = ((first + packet.len()) as u64).to_le_bytes();
    let at = header.windows(8).position(|window| window == table).unwrap();
    header[at..at + 8].copy_from_slice(&(-1i64).to_le_bytes());
    (header, packet)
}

#[test]
fn packets_that_threads_unfold_are_put_together_in_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/event-fixtures/aedat4");
    for name in ["plain", "lz4", "zstd"] {
        let whole = std::fs::read(folder.join(name).with_extension("aedat4")).unwrap();
        let one = read_bytes(name, &whole, &ReadOptions::default()).unwrap().stream;
        let (header, packet) = header_and_packet(&whole);
        let file = |packets: usize| [header.clone(), packet.repeat(packets)].concat();
        let mut broken = file(150);
        let twentieth = header.len() + 20 * packet.len();
        broken[twentieth + 8..twentieth + 24].fill(0xff);
        let cut = header.len() + 150 * packet.len() - 5;
        let faults = [(file(150), 150, false), (file(150)[..cut].to_vec(), 149, true), (broken, 20, true)];
        for (bytes, packets, fault) in faults {
            for threads in [1, 4] {
                let options = ReadOptions { lenient: true, ..ReadOptions::default() };
                let reading = with_threads(threads, || read_bytes(name, &bytes, &options)).unwrap();
                let place = format!("{name}, {packets} packets, {threads} threads");
                assert_eq!(reading.stream.events().t, one.events().t.repeat(packets), "{place}");
                assert_eq!(reading.stream.events().x, one.events().x.repeat(packets), "{place}");
                assert_eq!(reading.stream.events().p, one.events().p.repeat(packets), "{place}");
                assert_eq!(reading.left_out.lost.is_some(), fault, "{place}");
            }
        }
    }
}

#[test]
fn neighbours_that_fire_together_are_one_word() {
    let sensor = SensorSize { width: 100, height: 9 };
    let x: Vec<u16> = (30..90).chain([95]).collect();
    let n = x.len();
    let stream = EventStream::new(sensor, vec![1 << 40; n], x, vec![4; n], vec![1; n]).unwrap();
    let bytes = write_bytes(stream.events(), Format::Evt3).unwrap();
    let single = EventStream::new(sensor, vec![1 << 40], vec![95], vec![4], vec![1]).unwrap();
    // 60 adjacent pixels are 5 vectors of 12, each with its position.
    assert_eq!(bytes.len(), write_bytes(single.events(), Format::Evt3).unwrap().len() + 5 * 4);
    let reading = read_bytes("evt3", &bytes, &ReadOptions::default()).unwrap();
    assert_eq!(reading.stream.events().x, stream.events().x);
}

#[test]
fn atis_overflow_records_move_the_clock() {
    let record = |x, y, t: u32| {
        let [_, a, b, c] = t.to_be_bytes();
        [x, y, a, b, c]
    };
    let bytes = [record(1, 2, 5), record(0, 240, 0), record(3, 4, 6)].concat();
    let stream = read_bytes("atis", &bytes, &ReadOptions::default()).unwrap().stream;
    assert_eq!((stream.events().t, stream.events().x), (&[5, 8192 + 6][..], &[1, 3][..]));
}

#[test]
fn faults_are_placed_and_lenient_reading_keeps_what_comes_before() {
    let bytes = [1u8, 2, 0, 0, 9].repeat(3);
    let cut = &bytes[..13];
    let options = ReadOptions { format: Some(Format::Atis), ..ReadOptions::default() };
    let problem = read_bytes("some.bin", cut, &options).unwrap_err();
    assert!(matches!(problem, EventError::File { offset: 10, event: 2, .. }), "{problem}");
    assert!(problem.to_string().starts_with("some.bin: byte 10, after 2 events"), "{problem}");
    let reading = read_bytes("some.bin", cut, &ReadOptions { lenient: true, ..options }).unwrap();
    let lost = reading.left_out.lost.unwrap();
    assert_eq!((reading.stream.len(), lost.offset, lost.bytes), (2, 10, 3));

    let small = ReadOptions { sensor: Some(SensorSize { width: 1, height: 9 }), ..ReadOptions::default() };
    let problem = read_bytes("some.bin", &bytes, &small).unwrap_err().to_string();
    assert!(problem.contains("outside of a sensor of 1 x 9 pixels: give the size"), "{problem}");
    let problem = read_bytes("x.bin", b"\x00\x01\x02", &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("no format of events that is known"), "{problem}");
    let problem = read("/no/such/file.bin", &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("/no/such/file.bin"), "{problem}");
}

#[test]
fn text_is_read_in_any_order_and_by_its_header() {
    let read_text = |text: &str, columns: &str| {
        let options = ReadOptions { columns: columns.parse().unwrap(), ..ReadOptions::default() };
        read_bytes("events.txt", text.as_bytes(), &options)
    };
    let usual = read_text("# a note\n10 1 2 1\n20 3 4 -1\n", "").unwrap().stream;
    let named = read_text("x,y,polarity,timestamp\n1,2,1,10\n3,4,0,20\n", "").unwrap().stream;
    let ordered = read_text("1\t2\t10\t1\n3\t4\t20\t0", "xytp").unwrap().stream;
    let seconds = read_text("0.000010 1 2 1\n0.00002 3 4 0\n", "txyp").unwrap().stream;
    assert!([named, ordered, seconds].iter().all(|other| other.events() == usual.events()));
    let problem = read_text("1 2 3 1\n1 2 x 1\n", "").unwrap_err().to_string();
    assert!(problem.contains("byte 8") && problem.contains("line 2: `x` is not a coordinate"), "{problem}");
}

#[test]
fn gesture_labels_are_read() {
    let spans =
        aedat3::read_labels("labels.csv", "class,startTime_usec,endTime_usec\n2,10,20\n11,30,45\n").unwrap();
    assert_eq!(spans[1], aedat3::LabelledSpan { class: 11, start_us: 30, end_us: 45 });
    for (table, fault) in
        [("1,20,10\n", "labels.csv:1: `1,20,10`"), ("class,a,b\n1,2\n", "labels.csv:2: `1,2`")]
    {
        let problem = aedat3::read_labels("labels.csv", table).unwrap_err().to_string();
        assert!(problem.contains(fault), "{problem}");
    }
}

#[test]
fn a_header_that_promises_too_much_costs_nothing() {
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '<i8', 'fortran_order': True, 'shape': (18446744073709551615, 4), }\n";
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    assert!(read_bytes("huge.npy", &npy, &ReadOptions::default()).is_err());
    let mut aedat3 = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n\x01\x00\x01\x00".to_vec();
    for number in [8u32, 4, 0, 0x7fff_ffff, 0x7fff_ffff, 0] {
        aedat3.extend(number.to_le_bytes());
    }
    #[cfg(feature = "hdf5")]
    {
        let promises = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/promises.h5");
        let problem = read(promises, &ReadOptions::default()).unwrap_err().to_string();
        assert!(problem.contains("t` promises 134217728 bytes"), "{problem}");
    }
    let problem = read_bytes("huge.aedat", &aedat3, &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("a packet is cut: 0 of its 2147483647 events"), "{problem}");
}

/// MATLAB's `[]` has 0 rows and 0 columns.
#[test]
fn a_matlab_file_without_events_is_an_empty_recording() {
    let mut bytes = matlab(&[], &[], &[], &[]);
    let row = [5, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    while let Some(at) = bytes.windows(row.len()).position(|window| window == row) {
        bytes[at + 8] = 0;
    }
    let reading = read_bytes("empty.mat", &bytes, &ReadOptions::default()).unwrap();
    assert_eq!((reading.format, reading.stream.len()), (Format::Matlab, 0));
}

/// MATLAB stores integers in the smallest type that can represent them.
#[test]
fn a_matlab_file_of_numbers_with_a_sign_keeps_it() {
    let t = [-5i16, 700].map(i16::to_le_bytes).concat();
    let rows = [("ts", 3, t), ("x", 2, vec![200, 1]), ("y", 1, vec![3, 4]), ("pol", 1, vec![255, 1])];
    let reading = read_bytes("signed.mat", &matlab_rows(2, rows), &ReadOptions::default()).unwrap();
    let events = reading.stream.events();
    assert_eq!(
        (events.t, events.x, events.y, events.p),
        (&[-5i64, 700][..], &[200u16, 1][..], &[3u16, 4][..], &[0u8, 1][..])
    );
}

/// A header of version 1 of NumPy's format has its length in two bytes.
#[test]
fn a_numpy_header_may_have_more_than_255_bytes() {
    let (_, bytes) = samples().into_iter().find(|(format, _)| *format == Format::Npy).unwrap();
    let length = u16::from_le_bytes([bytes[8], bytes[9]]);
    let (header, rest) = bytes[10..].split_at(usize::from(length) - 1);
    let longer = [&bytes[..8], &(length + 512).to_le_bytes(), header, &[b' '; 512], rest].concat();
    let [short, long] =
        [&bytes, &longer].map(|bytes| read_bytes("a.npy", bytes, &ReadOptions::default()).unwrap());
    assert_eq!(short.stream.len(), 40);
    assert_eq!(long.stream.events(), short.stream.events());
}

/// Without the offset named in the file, times would be wrong by it.
#[cfg(feature = "hdf5")]
#[test]
fn an_offset_of_times_that_cannot_be_read_is_an_error() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/event-fixtures/hdf5/dsec_layout.h5");
    let mut bytes = std::fs::read(path).unwrap();
    // The position of the version at the start of the header of `t_offset`.
    bytes[0x68dc] ^= 0xff;
    let problem = read_bytes("broken.h5", &bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("`t_offset`") && problem.contains("header version"), "{problem}");
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let write_one = |t, x, y, format| {
        let sensor = SensorSize { width: 3000, height: 3000 };
        let stream = EventStream::new(sensor, vec![t], vec![x], vec![y], vec![1]).unwrap();
        write_bytes(stream.events(), format)
    };
    assert!(write_one(0, 256, 0, Format::Atis).unwrap_err().to_string().contains("event 0: x = 256"));
    assert!(write_one(0, 0, 240, Format::Atis).is_err());
    assert!(write_one(-1, 0, 0, Format::Atis).unwrap_err().to_string().contains("sort the recording"));
    assert!(write_one(0, 0, 2048, Format::Evt2).is_err());
    assert!(write_one(1 << 34, 0, 0, Format::Evt2).is_err());
    assert!(write_one(0, 2048, 0, Format::Evt3).unwrap_err().to_string().contains("event 0: x = 2048"));
    assert!(write_one(1 << 41, 0, 0, Format::Evt3).unwrap_err().to_string().contains("too late"));
    assert!(write_one(-1, 0, 0, Format::Evt3).unwrap_err().to_string().contains("sort the recording"));
    assert!(write_one(0, 0, 0, Format::Dat).unwrap_err().to_string().contains("read only"));
    assert!(write_one(-5, 2999, 2999, Format::Npz).is_ok());
}

/// The result of a full disk or a failed download: never a recording of 0 events.
#[test]
fn a_file_of_no_bytes_is_an_error_in_every_format() {
    for format in Format::ALL.into_iter().map(Some).chain([None]) {
        for lenient in [false, true] {
            let options = ReadOptions { format, lenient, ..ReadOptions::default() };
            let problem = read_bytes("empty.aedat", b"", &options).unwrap_err().to_string();
            assert!(
                problem.contains("empty.aedat: byte 0") && problem.contains("the file is empty"),
                "{problem}"
            );
        }
    }
}

/// `x` of events on a sensor of 20 columns, some of them outside.
#[test]
fn single_bad_events_are_left_out_at_their_own_bytes() {
    let sensor = SensorSize { width: 40, height: 9 };
    let x = vec![1, 2, 30, 4, 5, 31, 7, 8, 9, 10];
    let n = x.len();
    let stream = EventStream::new(sensor, (0..n as i64).collect(), x, vec![3; n], vec![1; n]).unwrap();
    let small = Some(SensorSize { width: 20, height: 9 });
    for (format, offset) in
        [(Format::Atis, 10), (Format::Evt2, 76), (Format::Text, 0), (Format::Npz, 0), (Format::Evt3, 0)]
    {
        let bytes = write_bytes(stream.events(), format).unwrap();
        let options = ReadOptions { sensor: small, format: Some(format), ..ReadOptions::default() };
        let problem = read_bytes("one.raw", &bytes, &options).unwrap_err();
        let EventError::File { offset: strict, event, .. } = &problem else { panic!("{problem}") };
        assert_eq!(*event, 2, "{problem}");
        assert!(problem.to_string().contains("x = 30, y = 3, outside of a sensor of 20 x 9"), "{problem}");
        for remedy in ["`sensor`", "--sensor", "--lenient", "data.bad_events"] {
            assert!(problem.to_string().contains(remedy), "{problem}");
        }
        let reading = read_bytes("one.raw", &bytes, &ReadOptions { lenient: true, ..options }).unwrap();
        assert_eq!(reading.stream.events().x, [1, 2, 4, 5, 7, 8, 9, 10]);
        let bad = reading.left_out.bad_events.unwrap();
        assert_eq!((bad.count, bad.offset), (2, *strict), "{format:?}");
        if offset > 0 {
            assert_eq!(bad.offset, offset, "{format:?}");
        }
        match format {
            Format::Text => assert!(bytes[bad.offset as usize..].starts_with(b"2,30,3,1")),
            Format::Evt3 => assert_eq!(bytes[bad.offset as usize], 30),
            _ => {}
        }
    }
}

#[test]
fn a_row_beyond_the_sensor_is_a_fault_as_a_column_is() {
    let sensor = SensorSize { width: 40, height: 20 };
    let stream = EventStream::new(sensor, vec![0, 1], vec![1, 2], vec![3, 15], vec![1, 1]).unwrap();
    let small = Some(SensorSize { width: 40, height: 9 });
    for format in WRITTEN {
        let bytes = write_bytes(stream.events(), format).unwrap();
        let options = ReadOptions { sensor: small, format: Some(format), ..ReadOptions::default() };
        let problem = read_bytes("one.raw", &bytes, &options).unwrap_err().to_string();
        assert!(problem.contains("x = 2, y = 15, outside of a sensor of 40 x 9"), "{format:?}: {problem}");
    }
}

/// A size that most events do not fit does not mean a recording with some bad events.
#[test]
fn a_sensor_that_most_events_lie_outside_of_is_refused_leniently_too() {
    let bytes = [[200u8, 2, 0, 0, 9], [201, 2, 0, 0, 9], [1, 2, 0, 0, 9]].concat();
    let sensor = Some(SensorSize { width: 100, height: 100 });
    let options = ReadOptions { format: Some(Format::Atis), lenient: true, sensor, ..ReadOptions::default() };
    let problem = read_bytes("one.bin", &bytes, &options).unwrap_err().to_string();
    assert!(problem.contains("2 of 3 events are faulty"), "{problem}");
}

#[test]
fn files_are_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = &samples()[0];
    let stream = read_bytes("first", bytes, &ReadOptions::default()).unwrap().stream;
    let path = folder.path().join("new/recording.raw");
    write(&path, stream.events(), Format::Evt2).unwrap();
    let reading = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!((reading.format, reading.stream.events()), (Format::Evt2, stream.events()));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn written_recordings_read_back_event_by_event(stream in recordings()) {
        for format in WRITTEN {
            if stream.is_empty() && format == Format::Atis {
                // It has no header, and an empty file is refused.
                prop_assert!(write_bytes(stream.events(), format).is_err());
                continue;
            }
            let bytes = write_bytes(stream.events(), format).unwrap();
            let options =
                ReadOptions { format: Some(format), sensor: Some(stream.sensor()), ..ReadOptions::default() };
            let reading = read_bytes("written", &bytes, &options).unwrap();
            prop_assert_eq!(reading.stream.events(), stream.events());
            // No recording with one or more events is mistaken for another format.
            prop_assert!(stream.is_empty() || Format::detect(&bytes) == Some(format) || format == Format::Atis);
        }
    }

    /// Truncated anywhere, and with bytes changed: an error or events, never a panic, and leniently never
    /// fewer events than are complete before the truncation.
    #[test]
    fn broken_files_do_no_harm(
        which in 0..15usize,
        cut in 0.0..1.0f64,
        changes in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..8),
    ) {
        let (format, mut bytes) = samples().swap_remove(which);
        bytes.truncate((cut * bytes.len() as f64) as usize);
        for (place, value) in changes {
            let place = (place * bytes.len() as f64) as usize;
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        for lenient in [false, true] {
            let options = ReadOptions { lenient, ..ReadOptions::default() };
            let _any = read_bytes("broken", &bytes, &options);
            let _as_before = read_bytes("broken", &bytes, &ReadOptions { format: Some(format), ..options });
        }
    }
}

/// Column 37 is the byte `%`, with which Prophesee headers begin.
#[test]
fn a_recording_that_begins_in_column_37_is_not_taken_for_a_header() {
    let sensor = SensorSize { width: 240, height: 180 };
    let stream = EventStream::new(sensor, vec![5, 70_000], vec![37, 38], vec![10, 32], vec![1, 0]).unwrap();
    let bytes = write_bytes(stream.events(), Format::Atis).unwrap();
    assert_eq!(bytes[0], b'%');
    let reading =
        read_bytes("first.bin", &bytes, &ReadOptions { sensor: Some(sensor), ..ReadOptions::default() });
    let reading = reading.unwrap();
    assert_eq!(reading.format, Format::Atis);
    assert_eq!(reading.stream.events(), stream.events());
    assert_eq!(Format::detect(b"% evt 3.0\n% end\n\x01\x02"), Some(Format::Evt3));
}
