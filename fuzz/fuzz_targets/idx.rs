//! IDX files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::parse::idx::parse_idx;

fuzz_target!(|data: &[u8]| {
    if let Ok(idx) = parse_idx(data) {
        assert_eq!(idx.header.values(), idx.values.len());
        assert_eq!(idx.header.length() + idx.values.len(), data.len());
    }
});
