#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_events::formats::{Camera, Format, ReadOptions, read_bytes};

fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        for format in [Format::Aedat1, Format::Aedat2].map(Some) {
            for camera in Camera::ALL.into_iter().map(Some).chain([None]) {
                let options = ReadOptions { format, camera, lenient, ..ReadOptions::default() };
                let _any = read_bytes("fuzz", bytes, &options);
            }
        }
    }
});
