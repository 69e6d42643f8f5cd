//! Files with a valid form whose content is not a recording: they are refused, or read as intended.

use tks_events::formats::{ReadOptions, Reading, read_bytes};

/// Times of events, 97 us apart, with their positions and polarities.
fn rows() -> Vec<[i64; 4]> {
    (0..200).map(|i| [40 + 97 * i, i * 37 % 100, i * 23 % 80, i / 3 % 2]).collect()
}

fn in_order(rows: &[[i64; 4]], order: [usize; 4]) -> Vec<[i64; 4]> {
    rows.iter().map(|row| order.map(|place| row[place])).collect()
}

fn text(rows: &[[i64; 4]]) -> Vec<u8> {
    let line = |[a, b, c, d]: &[i64; 4]| format!("{a} {b} {c} {d}\n");
    rows.iter().map(line).collect::<String>().into_bytes()
}

/// An array `[N, 4]` of 64-bit numbers.
fn npy(kind: &str, rows: &[[i64; 4]], bytes: impl Fn(i64) -> [u8; 8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}, 4), }}\n", rows.len());
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(rows.iter().flatten().flat_map(|&value| bytes(value)));
    file
}

fn whole(rows: &[[i64; 4]]) -> Vec<u8> {
    npy("<i8", rows, i64::to_le_bytes)
}

fn events(reading: &Reading) -> Vec<[i64; 4]> {
    let events = reading.stream.events();
    let row = |i: usize| [events.t[i], events.x[i].into(), events.y[i].into(), events.p[i].into()];
    (0..events.len()).map(row).collect()
}

/// The error message, strict and lenient.
fn refusal(bytes: &[u8]) -> String {
    let [strict, lenient] = [false, true].map(|lenient| {
        let options = ReadOptions { lenient, ..ReadOptions::default() };
        read_bytes("some", bytes, &options).map(|_| ()).unwrap_err().to_string()
    });
    assert_eq!(strict, lenient);
    strict
}

#[test]
fn columns_without_names_are_in_the_order_that_their_numbers_have() {
    let rows = rows();
    for order in [[0, 1, 2, 3], [1, 2, 0, 3]] {
        let rows_there = in_order(&rows, order);
        for bytes in [text(&rows_there), whole(&rows_there)] {
            let reading = read_bytes("some", &bytes, &ReadOptions::default()).unwrap();
            assert_eq!(events(&reading), rows, "{order:?}");
            assert!(!reading.left_out.is_faulty());
        }
    }
    // Times in seconds, as in most texts of x, y, t, p.
    let seconds: String =
        rows.iter().map(|[t, x, y, p]| format!("{x} {y} {:.6} {p}\n", *t as f64 / 1e6)).collect();
    assert_eq!(events(&read_bytes("s.txt", seconds.as_bytes(), &ReadOptions::default()).unwrap()), rows);
    // Lines that end with a delimiter.
    let ended: String = rows.iter().map(|[t, x, y, p]| format!("{x},{y},{t},{p},\n")).collect();
    assert_eq!(events(&read_bytes("s.csv", ended.as_bytes(), &ReadOptions::default()).unwrap()), rows);
    // An unusual order must be specified.
    let last = in_order(&rows, [1, 2, 3, 0]);
    for bytes in [text(&last), whole(&last)] {
        let problem = refusal(&bytes);
        assert!(problem.contains("column 4") && problem.contains("--columns x,y,p,t"), "{problem}");
    }
}

#[test]
fn times_that_run_backwards_all_along_are_refused_whatever_the_format() {
    let mut rows = rows();
    rows.reverse();
    let mut dat = b"% Version 2\n\x0c\x08".to_vec();
    let mut aedat2 = b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n".to_vec();
    for &[t, x, y, p] in &rows {
        let [t, x, y, p] = [t, x, y, p].map(|value| value as u32);
        dat.extend(t.to_le_bytes());
        dat.extend((x | (y << 14) | (p << 28)).to_le_bytes());
        aedat2.extend(((y << 8) | (x << 1) | p).to_be_bytes());
        aedat2.extend(t.to_be_bytes());
    }
    let named =
        [b"t,x,y,p\n".to_vec(), text(&rows).iter().map(|&b| if b == b' ' { b',' } else { b }).collect()];
    for bytes in [dat, aedat2, named.concat(), text(&rows), whole(&rows)] {
        let problem = refusal(&bytes);
        assert!(problem.contains("the times run backwards 199 times in 200 events"), "{problem}");
        assert!(problem.starts_with("some: byte ") && problem.contains(", after 1 event:"), "{problem}");
    }
    // An order specified by the user is trusted.
    let options = ReadOptions { columns: "t,x,y,p".parse().unwrap(), ..ReadOptions::default() };
    assert_eq!(events(&read_bytes("some", &text(&rows), &options).unwrap()), rows);
}

#[test]
fn faulty_events_are_counted_among_all_that_were_read() {
    let all: String = (0..30).map(|i| format!("{i},{}.5,3,1\n", i % 7)).collect();
    let most: String = (0..31).map(|i| format!("{i},3,3,{}\n", if i < 2 { 1 } else { 7 })).collect();
    for (lines, count) in [(all, "30 of 30 events"), (most, "29 of 31 events")] {
        let options = ReadOptions { lenient: true, ..ReadOptions::default() };
        let found = read_bytes("some", format!("t,x,y,p\n{lines}").as_bytes(), &options);
        let problem = found.unwrap_err().to_string();
        assert!(problem.contains(count), "{problem}");
    }
}

#[test]
fn a_value_that_is_not_a_number_is_shown_as_it_is() {
    let mut bytes = npy("<f8", &rows(), |value| (value as f64).to_le_bytes());
    let x = bytes.len() - 32 * 195 + 8;
    bytes[x..x + 8].copy_from_slice(&f64::NAN.to_le_bytes());
    let problem = read_bytes("some", &bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("after 5 events: event 5 ") && problem.contains("x = NaN, "), "{problem}");
}

#[test]
fn a_short_text_is_no_atis_recording() {
    for text in ["hello", "cat\n\n", "     ", "ant ant bee bee"] {
        assert_eq!(text.len() % 5, 0, "whole records");
        let refusal = refusal(text.as_bytes());
        assert!(refusal.contains("--format"), "{refusal}");
    }
    // A real one, of two events, is recognised by its bytes.
    let reading =
        read_bytes("some", &[3, 4, 0x80, 0, 5, 200, 100, 0, 0, 9], &ReadOptions::default()).unwrap();
    assert_eq!(events(&reading), [[5, 3, 4, 1], [9, 200, 100, 0]]);
}

#[test]
fn words_of_the_other_endianness_than_the_header_says_are_refused() {
    for (stated, turned) in [("little", 32u32), ("legacy", 0)] {
        let mut file =
            format!("% format EVT21;endianness={stated};height=720;width=1280\n% end\n").into_bytes();
        for i in 0..200u64 {
            let time = (8 << 60) | (i << 32);
            let (x, y) = (32 * (i % 20), i * 5 % 700);
            let event = (1 << 60) | ((i % 64) << 54) | (x << 43) | (y << 32) | (1 << (i % 32));
            for word in [time, event] {
                file.extend(word.rotate_left(turned).to_le_bytes());
            }
        }
        let refusal = refusal(&file);
        assert!(refusal.contains(stated) && refusal.contains("endianness"), "{refusal}");
    }
}
