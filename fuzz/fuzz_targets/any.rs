#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_events::SensorSize;
use tks_events::formats::{ReadOptions, read_bytes};

// With the format recognised by the content, on the file's sensor and on a small one, for which events are
// left out.
fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        for sensor in [None, Some(SensorSize { width: 34, height: 34 })] {
            let options = ReadOptions { sensor, lenient, ..ReadOptions::default() };
            let _any = read_bytes("fuzz", bytes, &options);
        }
    }
});
