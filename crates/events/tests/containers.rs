//! Containers of numbers in common layouts: HDF5, MATLAB, NumPy, text. `fixtures/containers/make.py` wrote
//! the files with the formats' own libraries.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tks_events::formats::text::ColumnOrder;
use tks_events::formats::{Format, ReadOptions, Reading, read, read_bytes, write_bytes};
use tks_events::{EventError, EventStream, SensorSize};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/containers").join(name)
}

/// The events of all these files.
fn expected(count: i64) -> (Vec<i64>, Vec<u16>, Vec<u16>, Vec<u8>) {
    let column = |value: fn(i64) -> i64| (0..count).map(value);
    (
        column(|i| 57 * i + i * i % 41).collect(),
        column(|i| i * 7 % 346).map(|x| x as u16).collect(),
        column(|i| i * i % 260).map(|y| y as u16).collect(),
        column(|i| i / 3 % 2).map(|p| p as u8).collect(),
    )
}

fn columns(text: &str) -> ReadOptions {
    ReadOptions { columns: text.parse().unwrap(), ..ReadOptions::default() }
}

#[track_caller]
fn check(reading: Result<Reading, EventError>, count: i64, later_us: i64) -> Reading {
    let reading = reading.unwrap_or_else(|error| panic!("{error}"));
    let (mut t, x, y, p) = expected(count);
    t.iter_mut().for_each(|t| *t += later_us);
    let events = reading.stream.events();
    assert_eq!((events.t, events.x), (&t[..], &x[..]));
    assert_eq!((events.y, events.p), (&y[..], &p[..]));
    reading
}

fn problem(reading: Result<Reading, EventError>) -> String {
    reading.map(|reading| reading.stream.len()).unwrap_err().to_string()
}

#[cfg(feature = "hdf5")]
#[test]
fn hdf5_filters_are_read() {
    for (name, count) in [
        ("lzf.h5", 8192),
        ("gzip_fletcher32.h5", 8192),
        ("lz4.h5", 3001),
        ("zstd.h5", 8192),
        ("bitshuffle.h5", 1001),
        ("bitshuffle_lz4.h5", 3001),
        ("bitshuffle_zstd.h5", 3001),
        ("blosc_blosclz_shuffle.h5", 8192),
        ("blosc_lz4_bitshuffle.h5", 8192),
        ("blosc_zlib.h5", 8192),
        ("blosc_zstd_bitshuffle.h5", 8192),
        ("blosc_zstd_shuffle.h5", 3001),
    ] {
        println!("{name}");
        check(read(fixture(name), &ReadOptions::default()), count, 1000);
    }
    let problem = problem(read(fixture("blosc2.h5"), &ReadOptions::default()));
    assert!(problem.contains("Blosc2 (32026)") && problem.contains("h5repack -f GZIP=1 IN OUT"), "{problem}");
}

#[cfg(feature = "hdf5")]
#[test]
fn hdf5_layouts_are_read() {
    let default = ReadOptions::default();
    for name in ["v2e.h5", "rpg.h5", "elsewhere.h5"] {
        println!("{name}");
        check(read(fixture(name), &default), 50, 0);
    }
    let prophesee = check(read(fixture("prophesee.h5"), &default), 50, 0);
    assert_eq!(prophesee.stream.sensor(), SensorSize { width: 640, height: 480 });
    for (name, later, other) in
        [("mvsec.h5", 1_506_118_124_000_000, "davis/right/events"), ("m3ed.h5", 0, "prophesee/right")]
    {
        println!("{name}");
        let reading = check(read(fixture(name), &default), 50, later);
        let [passed] = &reading.left_out.passed_over[..] else { panic!("{:?}", reading.left_out) };
        assert_eq!((passed.kind.contains(other), passed.count), (true, 20));
    }
    let problem = problem(read(fixture("nothing.h5"), &default));
    for part in ["`notes` (", "`table` (integers of 64 bits [50, 4])", "--columns t,x,y,p"] {
        assert!(problem.contains(part), "{problem}");
    }
    check(read(fixture("nothing.h5"), &columns("x,y,p,t")), 50, 0);
    let problem = self::problem(read(fixture("../standin_tidigits.hdf5"), &default));
    assert!(problem.contains("_labels` (text ["), "{problem}");
}

/// The size of a filter's chunk is claimed by the file.
#[cfg(feature = "hdf5")]
#[test]
fn hdf5_chunks_that_claim_gigabytes_are_refused() {
    let mut bytes = std::fs::read(fixture("blosc_lz4_bitshuffle.h5")).unwrap();
    // The first chunk of Blosc: version 2, version 1 of LZ4, its flags, 8-byte elements.
    let size = 65_536u32.to_le_bytes();
    let at =
        (0..bytes.len() - 8).find(|&i| bytes[i] == 2 && bytes[i + 3] == 8 && bytes[i + 4..i + 8] == size);
    bytes[at.unwrap() + 4..][..4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    let problem = problem(read_bytes("claims.h5", &bytes, &ReadOptions::default()));
    assert!(problem.contains("Blosc: a chunk claims to hold more than"), "{problem}");
}

#[test]
fn matlab_layouts_are_read() {
    let default = ReadOptions::default();
    for name in ["td.mat", "aedat_tools.mat"] {
        println!("{name}");
        assert_eq!(check(read(fixture(name), &default), 50, 0).format, Format::Matlab);
    }
    #[cfg(feature = "hdf5")]
    assert_eq!(check(read(fixture("mat73.mat"), &default), 50, 0).format, Format::Matlab);
    let problem = problem(read(fixture("matrix.mat"), &default));
    assert!(problem.contains("`events` (numbers, 50 x 4)") && problem.contains("--columns"), "{problem}");
    check(read(fixture("matrix.mat"), &columns("xytp")), 50, 0);
}

#[test]
fn numpy_layouts_are_read() {
    let default = ReadOptions::default();
    for name in ["padded.npy", "fortran.npy", "rows.npy", "seconds.npz", "datetime.npz"] {
        println!("{name}");
        check(read(fixture(name), &default), 50, 0);
    }
    check(read(fixture("table.npz"), &columns("y,x,_,p,t_ms")), 50, 0);
    for (name, parts) in [
        ("table.npz", ["records of t, x, y, p or an array [N, 4]", "--columns t,x,y,p,_"]),
        ("pickled.npy", ["Python objects (a pickle)", "numpy.savez"]),
        ("frames.npz", ["frames_number_", "events_np"]),
    ] {
        let problem = problem(read(fixture(name), &default));
        assert!(parts.iter().all(|part| problem.contains(part)), "{name}: {problem}");
    }
}

/// Lines of the first events, with each column as written by `line`.
fn lines(count: i64, line: impl Fn(i64, u16, u16, u8) -> String) -> String {
    let (t, x, y, p) = expected(count);
    (0..count as usize).map(|i| line(t[i], x[i], y[i], p[i]) + "\n").collect()
}

#[track_caller]
fn check_text(text: &str, options: &ReadOptions) -> Reading {
    check(read_bytes("events.txt", text.as_bytes(), options), 20, 0)
}

#[test]
fn text_with_a_header_is_read() {
    let default = ReadOptions::default();
    let plain = lines(20, |t, x, y, p| format!("{t},{x},{y},{p}"));
    let numbered: String = (0..).zip(plain.lines()).map(|(i, line)| format!("{i},{line}\r\n")).collect();
    check_text(&plain, &default);
    check_text(&format!("\u{feff}t,x,y,p\n{plain}"), &default);
    check_text(&format!(",t,x,y,p\r\n{numbered}"), &default);
    check_text(&format!("Unnamed: 0,timestamp,x,y,polarity\r\n{numbered}"), &default);
    check_text(&format!("t;x;y;p\n{}", plain.replace(',', ";")), &default);
    check_text(&format!("  t  x   y  p\n{}", numbered.replace(',', "  ")), &default);
    check_text(&format!("\tt\tx\ty\tp\n{}", numbered.replace(',', "\t")), &default);
    check_text(&format!("# t x y p\n{}", plain.replace(',', " ")), &default);
    check_text(&format!("# x,y,p,t\n{}", lines(20, |t, x, y, p| format!("{x},{y},{p},{t}"))), &default);
    check_text(
        &format!("\"t\",\"x\",\"y\",\"on\"\n{}", lines(20, |t, x, y, p| format!("\"{t}\",{x},{y},{p},"))),
        &default,
    );
    for (unit, name, thousands) in [(1000, "timestamp [ns]", true), (1, "t_us", false), (1, "ts [µs]", false)]
    {
        let body = lines(20, |t, x, y, p| format!("{x}, {y}, {}, {p}", t * unit + i64::from(thousands)));
        check_text(&format!("x, y, {name}, p\n{body}"), &default);
    }
    let seconds = lines(20, |t, x, y, p| format!("{}.{:06} {x} {y} {p}", t / 1_000_000, t % 1_000_000));
    check_text(&format!("t(s) x y p\n{seconds}"), &default);
    check_text(&format!("346 260\n{seconds}"), &default);
    let sized = check_text(&format!("# made by hand\n346 260\n{plain}").replace(',', " "), &default);
    assert_eq!(sized.stream.sensor(), SensorSize { width: 346, height: 260 });
    let metavision = lines(20, |t, x, y, p| format!("{x},{y},{p},{t}"));
    let geometry = check_text(&format!("%geometry:640,480\n{metavision}"), &default);
    assert_eq!(geometry.stream.sensor(), SensorSize { width: 640, height: 480 });
    check_text(&format!("%geometry:640,480\nx,y,polarity,timestamp_us\n{metavision}"), &default);
}

#[test]
fn text_numbers_are_read_as_they_are_written() {
    let default = ReadOptions::default();
    let savetxt = |value: f64| format!("{value:.18e}");
    let body = lines(20, |t, x, y, p| [t as f64, x.into(), y.into(), p.into()].map(savetxt).join(" "));
    check_text(&body, &default);
    for [off, on] in [["-1", "+1"], ["False", "True"], ["0.0", "1.0"], ["-1.0", "1.0"], ["0", "1"]] {
        check_text(
            &lines(20, |t, x, y, p| format!("{t}\t{x}\t{y}\t{}", [off, on][usize::from(p)])),
            &default,
        );
    }
    // C++ writes a time of 0 s without a decimal point.
    let short = lines(20, |t, x, y, p| format!("{} {x} {y} {p}", t as f64 / 1e6));
    assert!(short.starts_with("0 0 0 0\n"));
    check_text(&short, &default);
    check_text(&lines(20, |t, x, y, p| format!("{x} {y} {} {p}", t as f64 / 1e3)), &columns("x,y,t_ms,p"));
    // The given order takes precedence over names.
    check_text(
        &format!("a,b,c,d\n{}", lines(20, |t, x, y, p| format!("{p},{y},{x},{t}"))),
        &columns("p,y,x,t"),
    );
    let celex = lines(20, |t, x, y, p| format!("{y},{x},100,{},{t}", i32::from(p) * 2 - 1));
    check_text(&celex, &columns("y,x,_,p,t"));
}

#[test]
fn text_that_is_not_understood_says_where_and_how_to_name_it() {
    let read = |text: &[u8]| problem(read_bytes("events.csv", text, &ReadOptions::default()));
    let five = read(b"26,4,100,1,484\n69,38,100,-1,1698\n");
    for part in ["events.csv: byte 0", "line 1: 5 columns where 4 are known", "--columns t,x,y,p,_"] {
        assert!(five.contains(part), "{five}");
    }
    let later = read(b"484,4,26,1\n1698,38,69,1,0\n");
    assert!(later.contains("byte 11") && later.contains("line 2: 5 columns instead of 4"), "{later}");
    let names = read(b"time_of_day,x,y,p\n1,2,3,1\n");
    assert!(names.contains("line 1 names the columns time_of_day, x, y, p"), "{names}");
    let order = read(b"4 26 484 1\n38 69 1698 7\n");
    assert!(
        order.contains("line 2: `7` is not a polarity") && order.contains("columns = \"x,y,t,p\""),
        "{order}"
    );
    let subpixel = read(b"484 4.5 26 1\n");
    assert!(subpixel.contains("`4.5` is not a coordinate"), "{subpixel}");
    let ambiguous = read(b"0.5 4 26 1\n3000000.25 4 26 1\n");
    assert!(ambiguous.contains("more than 11 days") && ambiguous.contains("t_us"), "{ambiguous}");
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("t,x,y,p\n1,2,3,1\n".bytes().flat_map(|byte| [byte, 0])).collect();
    let utf16 = read(&utf16);
    assert!(utf16.contains("UTF-16") && utf16.contains("iconv"), "{utf16}");
}

#[test]
fn columns_are_named_in_a_configuration() {
    #[derive(serde::Deserialize)]
    struct Options {
        read: ReadOptions,
    }
    let options: Options = toml::from_str("read = { columns = 'y,x,_,p,t' }").unwrap();
    assert_eq!(options.read.columns.to_string(), "y,x,_,p,t");
    let problem = toml::from_str::<Options>("read = { columns = 'y,x,p' }").err().unwrap().to_string();
    assert!(problem.contains("`y,x,_,p,t`"), "{problem}");
}

proptest! {
    /// Any order of columns reads back what was written in it.
    #[test]
    fn any_order_of_columns_reads_back(
        order in Just(["t", "x", "y", "p", "_", "_"]).prop_shuffle(),
        events in prop::collection::vec((0..1_000_000i64, 0..300u16, 0..300u16, 0..2u8), 1..30),
    ) {
        let text: String = events
            .iter()
            .map(|(t, x, y, p)| {
                let fields = order.map(|name| match name {
                    "t" => t.to_string(),
                    "x" => x.to_string(),
                    "y" => y.to_string(),
                    "p" => p.to_string(),
                    _ => "0.25".to_owned(),
                });
                fields.join(",") + "\n"
            })
            .collect();
        let columns: ColumnOrder = order.join(",").parse().unwrap();
        let options = ReadOptions { columns, ..ReadOptions::default() };
        let stream = read_bytes("events.csv", text.as_bytes(), &options).unwrap().stream;
        let found: Vec<_> = {
            let e = stream.events();
            (0..stream.len()).map(|i| (e.t[i], e.x[i], e.y[i], e.p[i])).collect()
        };
        prop_assert_eq!(found, events);
    }

    /// Times are the same whether written in us, or in seconds with six digits.
    #[test]
    fn seconds_are_the_same_times(times in prop::collection::vec(0..900_000_000_000i64, 1..20)) {
        prop_assume!(times.iter().any(|t| t % 1_000_000 != 0));
        let n = times.len();
        let sensor = SensorSize { width: 1, height: 1 };
        let stream = EventStream::new(sensor, times.clone(), vec![0; n], vec![0; n], vec![1; n]).unwrap();
        let us = write_bytes(stream.events(), Format::Text).unwrap();
        let seconds: String =
            times.iter().map(|t| format!("{}.{:06} 0 0 1\n", t / 1_000_000, t % 1_000_000)).collect();
        for bytes in [us, seconds.into_bytes()] {
            let read = read_bytes("events.txt", &bytes, &ReadOptions::default()).unwrap();
            prop_assert_eq!(read.stream.events().t, &times[..]);
        }
    }
}
