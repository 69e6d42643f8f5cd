//! PNG files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tks_fuzz::image(b"\x89PNG\r\n\x1a\n", data));
