//! MATLAB v5 files, plain and compressed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_data::parse::mat::{MatValue, parse_mat};

fn walk(value: &MatValue) {
    let _ = (value.number(), value.text(), value.texts());
    match value {
        MatValue::Cells { values, .. } => values.iter().for_each(walk),
        MatValue::Structs { fields, values, .. } => {
            for element in value.elements().into_iter().flatten() {
                assert!(fields.iter().all(|field| element.field(field).is_some()));
            }
            values.iter().for_each(walk);
        }
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| {
    for variable in parse_mat(data).into_iter().flatten() {
        walk(&variable.value);
    }
});
