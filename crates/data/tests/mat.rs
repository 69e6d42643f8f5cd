//! MATLAB v5 files written by MATLAB, also truncated and changed.

use std::path::Path;

use serde_json::Value;
use tks_data::parse::mat::{MatValue, parse_mat, parse_mat_variable};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/matlab").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A value in the form of SciPy's reader, which wrote `expected.json`.
fn plain(value: &MatValue) -> Value {
    match value {
        MatValue::Numbers { dims, values } => {
            serde_json::json!({ "dims": dims, "numbers": values.iter().collect::<Vec<f64>>() })
        }
        MatValue::Text(text) => serde_json::json!({ "text": text }),
        MatValue::Cells { dims, values } => {
            serde_json::json!({ "dims": dims, "cells": values.iter().map(plain).collect::<Vec<_>>() })
        }
        MatValue::Structs { dims, fields, values } => {
            let rows: Vec<Value> = values
                .chunks_exact(fields.len())
                .map(|row| {
                    fields
                        .iter()
                        .cloned()
                        .zip(row.iter().map(plain))
                        .collect::<serde_json::Map<_, _>>()
                        .into()
                })
                .collect();
            serde_json::json!({ "dims": dims, "structs": rows })
        }
    }
}

#[test]
fn files_that_matlab_wrote_read_as_scipy_reads_them() {
    let expected: Value = serde_json::from_slice(&fixture("expected.json")).unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 13);
    for (file, variables) in expected {
        let read: serde_json::Map<String, Value> = parse_mat(&fixture(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"))
            .into_iter()
            .map(|variable| (variable.name, plain(&variable.value)))
            .collect();
        assert_eq!(&Value::from(read), variables, "{file}");
    }
}

#[test]
fn a_version_73_file_is_named_as_such() {
    let mut hdf5 = vec![0u8; 512];
    hdf5[..19].copy_from_slice(b"MATLAB 7.3 MAT-file");
    hdf5[124..128].copy_from_slice(&[0, 2, b'I', b'M']);
    let error = parse_mat(&hdf5).unwrap_err().to_string();
    assert!(error.contains("7.3 (HDF5)") && error.contains("-v7"), "{error}");
    // the same without MATLAB's header
    hdf5[..128].fill(0);
    hdf5[..8].copy_from_slice(b"\x89HDF\r\n\x1a\n");
    let error = parse_mat(&hdf5).unwrap_err().to_string();
    assert!(error.contains("7.3 (HDF5)") && error.contains("-v7"), "{error}");
}

/// An element of a little-endian file: type, length, data, padded to 8 bytes.
fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An array `x`: flags with its class, sizes, name and contents.
fn array(class: u32, dims: [u32; 2], content: &[u8]) -> Vec<u8> {
    let flags = element(6, &[class.to_le_bytes(), [0; 4]].concat());
    let sizes = element(5, &dims.map(u32::to_le_bytes).concat());
    element(14, &[&flags, &sizes, &element(1, b"x"), content].concat())
}

/// The array of a file that holds nothing else.
fn read(array: &[u8]) -> Result<MatValue, String> {
    let file = [&[b' '; 124][..], &[0, 1, b'I', b'M'], array].concat();
    parse_mat_variable(&file, "x").map_err(|error| error.to_string())
}

#[test]
fn numbers_of_every_type_keep_their_size_and_sign() {
    let cases: [(u32, &[u8], f64, bool, bool); 10] = [
        (1, &(-2i8).to_le_bytes(), -2.0, true, false),
        (2, &[254], 254.0, false, false),
        (3, &(-300i16).to_le_bytes(), -300.0, true, false),
        (4, &65_000u16.to_le_bytes(), 65_000.0, false, false),
        (5, &(-70_000i32).to_le_bytes(), -70_000.0, true, false),
        (6, &4_000_000_000u32.to_le_bytes(), 4e9, false, false),
        (7, &0.5f32.to_le_bytes(), 0.5, true, true),
        (9, &(-0.25f64).to_le_bytes(), -0.25, true, true),
        (12, &(-5_000_000_000i64).to_le_bytes(), -5e9, true, false),
        (13, &(1u64 << 63).to_le_bytes(), 9_223_372_036_854_775_808.0, false, false),
    ];
    for (kind, bytes, expected, signed, float) in cases {
        let value = read(&array(6, [1, 1], &element(kind, bytes))).unwrap();
        assert_eq!(value.number(), Some(expected), "type {kind}");
        let MatValue::Numbers { values, .. } = value else { panic!("type {kind}: {value:?}") };
        assert_eq!(values.bytes(), bytes, "type {kind}");
        let stored = values.kind();
        assert_eq!((stored.size, stored.signed, stored.float), (bytes.len(), signed, float), "type {kind}");
    }
}

#[test]
fn a_value_is_taken_for_what_it_is_and_for_nothing_else() {
    let value = parse_mat_variable(&fixture("teststruct_7.4_GLNX86.mat"), "teststruct").unwrap();
    let element_of_it = value.elements().unwrap().next().unwrap();
    let text = element_of_it.field("stringfield").unwrap();
    assert_eq!((text.text(), text.number()), (Some("Rats live on no evil star."), None));
    let three = element_of_it.field("doublefield").unwrap();
    assert_eq!((three.text(), three.number()), (None, None));
    assert!(element_of_it.field("nothing").is_none());
    assert!(value.text().is_none() && text.elements().is_none());

    // MATLAB's lists wrap each text in its own cell
    let said = array(4, [1, 2], &element(16, b"ab"));
    assert_eq!(read(&array(1, [1, 1], &said)).unwrap().text(), Some("ab"));
    let two = read(&array(1, [1, 2], &[said.clone(), said].concat())).unwrap();
    assert_eq!((two.text(), two.texts()), (None, Some(vec!["ab", "ab"])));
}

#[test]
fn cells_that_lie_too_deep_and_texts_of_many_rows_are_refused() {
    let cells = |depth| {
        let number = array(6, [1, 1], &element(2, &[1]));
        (0..depth).fold(number, |inner, _| array(1, [1, 1], &inner))
    };
    read(&cells(16)).unwrap();
    assert!(read(&cells(17)).unwrap_err().contains("cells and structs more than 16 deep"));
    let units = element(4, &[b'a', 0, b'b', 0]);
    assert_eq!(read(&array(4, [1, 2], &units)).unwrap().text(), Some("ab"));
    assert!(read(&array(4, [2, 1], &units)).unwrap_err().contains("text of 2 rows"));
    assert_eq!(read(&array(4, [2, 0], &element(4, &[]))).unwrap().text(), Some(""));
}

#[test]
fn cut_and_changed_files_are_errors_not_panics() {
    for name in ["testcellnest_6.1_SOL2.mat", "teststruct_7.4_GLNX86.mat", "testcomplex_7.4_GLNX86.mat"] {
        let file = fixture(name);
        let mut changed = file.clone();
        for at in 0..file.len() {
            let _ = parse_mat(&file[..at]);
            for flip in [0x01, 0x80, 0xff] {
                changed[at] ^= flip;
                let _ = parse_mat(&changed);
                changed[at] ^= flip;
            }
        }
    }
}

#[test]
fn cut_files_are_never_taken_for_whole_ones() {
    let file = fixture("teststruct_6.1_SOL2.mat");
    let whole = parse_mat(&file).unwrap();
    for end in 0..file.len() {
        // padding at the end may be missing: the content is then the same
        if let Ok(cut) = parse_mat(&file[..end]) {
            assert!(cut.len() < whole.len() || cut == whole, "cut at {end}");
        }
    }
}
