//! Formats registered by a program.

use tks_data::SampleSet;
use tks_events::datasets::{EventSet, FolderOptions};
use tks_events::formats::{
    Decoded, EventFormat, Format, ReadOptions, Unwritable, read, read_bytes, write_bytes,
};
use tks_events::{EventError, EventStream, Events, SensorSize};

/// A signature, then the sensor's width and height, then time, column, row and polarity, one byte each.
struct Bytewise(&'static [u8]);

impl EventFormat for Bytewise {
    fn title(&self) -> &str {
        "bytewise"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(self.0)
    }

    fn endings(&self) -> &[&str] {
        &["bytewise"]
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, mut decoded: Decoded) -> Decoded {
        let start = self.0.len();
        let Some(&[width, height]) = bytes.get(start..start + 2) else {
            decoded.refuse(start, "the header is cut");
            return decoded;
        };
        decoded.set_sensor(SensorSize { width: width.into(), height: height.into() });
        decoded.add_metadata("lenient", options.lenient.to_string());
        let (records, rest) = bytes[start + 2..].as_chunks::<4>();
        for (i, &[t, x, y, p]) in records.iter().enumerate() {
            let place = start + 2 + 4 * i;
            match p {
                0 | 1 => decoded.push_at(place, t.into(), x.into(), y.into(), p == 1),
                9 => decoded.pass_over("triggers", 1),
                _ => decoded.leave_out(place, || format!("the polarity is {p}")),
            }
        }
        if !rest.is_empty() {
            decoded.stop(bytes.len() - rest.len(), "the last event is cut");
        }
        decoded
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        let small = |event: usize, value: i64| {
            u8::try_from(value).map_err(|_| Unwritable { event, problem: format!("{value} is above 255") })
        };
        let sensor = events.sensor;
        let mut bytes = self.0.to_vec();
        bytes.extend([small(0, sensor.width.into())?, small(0, sensor.height.into())?]);
        for i in 0..events.len() {
            let (x, y) = (small(i, events.x[i].into())?, small(i, events.y[i].into())?);
            bytes.extend([small(i, events.t[i])?, x, y, events.p[i]]);
        }
        Ok(bytes)
    }
}

fn file(mark: &[u8], sensor: [u8; 2], events: &[[u8; 4]]) -> Vec<u8> {
    [mark, &sensor, events.as_flattened()].concat()
}

#[test]
fn a_registered_format_is_told_by_its_content_and_by_its_name() {
    let format = Format::register("bytewise", Bytewise(b"\x01BYTEWISE")).unwrap();
    assert_eq!(
        (format.title(), format.name(), format.endings()),
        ("bytewise", "bytewise".into(), &["bytewise"][..])
    );
    assert!(Format::names().contains(&"bytewise") && Format::names().contains(&"evt21"));
    let bytes = file(b"\x01BYTEWISE", [8, 6], &[[1, 2, 3, 1], [4, 0, 0, 9], [5, 7, 5, 0]]);
    assert_eq!(Format::detect(&bytes), Some(format));
    let named: ReadOptions = serde_json::from_str(r#"{"format": "bytewise"}"#).unwrap();
    assert_eq!(serde_json::to_value(named.format).unwrap(), "bytewise");
    for options in [ReadOptions::default(), named] {
        let reading = read_bytes("a", &bytes, &options).unwrap();
        let stream = EventStream::new(
            SensorSize { width: 8, height: 6 },
            vec![1, 5],
            vec![2, 7],
            vec![3, 5],
            vec![1, 0],
        )
        .unwrap();
        assert_eq!((reading.format, reading.stream.events()), (format, stream.events()));
        assert_eq!(reading.left_out.passed_over[0].kind, "triggers");
        assert_eq!(write_bytes(stream.events(), format).unwrap().len(), bytes.len() - 4);
    }
    // Faults have the position given by the format.
    for (events, offset, event) in
        [(&[[1, 2, 3, 1], [1, 2, 3, 7]][..], 15, 1), (&[[1, 2, 3, 1], [1, 2, 3, 1], [1, 8, 3, 1]], 19, 2)]
    {
        let error =
            read_bytes("a", &file(b"\x01BYTEWISE", [8, 6], events), &ReadOptions::default()).unwrap_err();
        assert!(
            matches!(error, EventError::File { offset: found, event: index, .. } if (found, index) == (offset, event)),
            "{error}"
        );
    }
    let late =
        EventStream::new(SensorSize { width: 8, height: 6 }, vec![256], vec![0], vec![0], vec![0]).unwrap();
    let error = write_bytes(late.events(), format).unwrap_err().to_string();
    assert!(error.contains("bytewise cannot hold event 0: 256 is above 255"), "{error}");
}

#[test]
fn a_folder_of_recordings_may_hold_a_registered_format() {
    let format = Format::register("bytewise_in_folders", Bytewise(b"\x02BYTEWISE")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = file(b"\x02BYTEWISE", [8, 6], &[[1, 2, 3, 1]]);
    let path = put("train/a/1.bytewise", &bytes);
    assert_eq!(read(&path, &ReadOptions::default()).unwrap().format, format);
    // By its content.
    put("test/b/2.recording", &bytes);
    let set = EventSet::open_folder(folder.path(), FolderOptions::default()).unwrap();
    assert_eq!((set.len(), set.sensor()), (2, SensorSize { width: 8, height: 6 }));
    assert_eq!(set.read(0).unwrap().len(), 1);
}

#[test]
fn what_ships_keeps_its_files_unless_the_format_is_named() {
    struct Greedy;
    impl EventFormat for Greedy {
        fn title(&self) -> &str {
            "greedy"
        }
        fn claims(&self, _: &[u8]) -> bool {
            true
        }
        fn has_mark(&self) -> bool {
            false
        }
        fn decode(&self, _: &[u8], _: &ReadOptions, mut decoded: Decoded) -> Decoded {
            decoded.push(7, 0, 0, true);
            decoded
        }
    }
    let format = Format::register("greedy", Greedy).unwrap();
    let sensor = SensorSize { width: 4, height: 4 };
    let stream = EventStream::new(sensor, vec![1, 2], vec![1, 2], vec![1, 2], vec![1, 0]).unwrap();
    for built_in in [Format::Atis, Format::Evt2, Format::Evt3, Format::Npz, Format::Text] {
        let bytes = write_bytes(stream.events(), built_in).unwrap();
        assert_eq!(Format::detect(&bytes), Some(built_in));
        let options = ReadOptions { format: Some(format), ..ReadOptions::default() };
        assert_eq!(read_bytes("a", &bytes, &options).unwrap().stream.events().t, [7]);
    }
    // Files that no other format claims, except those known to be something else.
    assert_eq!(Format::detect(b"\xfa\xfb\xfc"), Some(format));
    assert_eq!(Format::detect(b"\x89PNG\r\n\x1a\n"), None);
    let error = write_bytes(stream.events(), format).unwrap_err().to_string();
    assert!(error.contains("read only"), "{error}");
}

#[test]
fn names_are_words_that_are_not_taken() {
    Format::register("taken", Bytewise(b"\x03")).unwrap();
    for (name, problem) in
        [("taken", "choose another name"), ("evt2", "choose another name"), ("My format", "snake_case")]
    {
        let error = Format::register(name, Bytewise(b"\x03")).unwrap_err();
        assert!(matches!(error, EventError::Register(_)) && error.to_string().contains(problem), "{error}");
    }
    let error = serde_json::from_str::<Format>("\"bytewize\"").unwrap_err().to_string();
    assert!(error.contains("bytewize") && error.contains("evt21"), "{error}");
    assert_eq!(toml::from_str::<ReadOptions>("format = 'evt21'").unwrap().format, Some(Format::Evt21));
}
