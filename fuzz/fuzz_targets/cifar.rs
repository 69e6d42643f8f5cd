//! The binary version of CIFAR10 and CIFAR100.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::parse::cifar::{CifarLayout, PIXELS, parse_cifar};

fuzz_target!(|data: &[u8]| {
    for layout in [CifarLayout::Cifar10, CifarLayout::Cifar100] {
        if let Ok(records) = parse_cifar(data, layout) {
            assert_eq!(records.len() * layout.record_bytes(), data.len());
            assert!(records.iter().all(|record| record.pixels.len() == PIXELS));
        }
    }
});
