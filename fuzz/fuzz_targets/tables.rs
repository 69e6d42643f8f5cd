//! Text tables with one row per line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::parse::lines::{parse_boxes, parse_number_pairs, parse_numbers, parse_pairs, parse_rows};

fuzz_target!(|data: &[u8]| {
    let _ = parse_pairs(data).map(|rows| assert!(rows.iter().all(|(_, value)| !value.is_empty())));
    let _ = (parse_number_pairs(data), parse_numbers(data));
    let _ = parse_boxes(data)
        .map(|rows| assert!(rows.iter().all(|(_, sizes)| sizes.iter().all(|s| s.is_finite()))));
    let _ = parse_rows(data, 3).map(|rows| assert!(rows.iter().all(|row| row.len() == 3)));
});
