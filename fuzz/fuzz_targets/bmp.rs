//! BMP files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tks_fuzz::image(b"BM", data));
