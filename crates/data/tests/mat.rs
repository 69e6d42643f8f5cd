//! MATLAB v5 files that MATLAB wrote, and what is left of them when they are cut or changed.

use std::path::Path;

use serde_json::Value;
use tks_data::parse::mat::{MatValue, parse_mat};

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/matlab").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A value as SciPy's reader, which wrote `expected.json`, sees it.
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
        // padding at the end may be left out: then the content is the same
        if let Ok(cut) = parse_mat(&file[..end]) {
            assert!(cut.len() < whole.len() || cut == whole, "cut at {end}");
        }
    }
}
