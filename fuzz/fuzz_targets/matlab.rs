#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_events::formats::{Format, ReadOptions, read_bytes};

fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        let options = ReadOptions { format: Some(Format::Matlab), lenient, ..ReadOptions::default() };
        let _any = read_bytes("fuzz", bytes, &options);
    }
});
