//! The Python version of CIFAR10 and CIFAR100.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_images::parse::pickle::{parse_cifar_names, parse_cifar_pickle};

fuzz_target!(|data: &[u8]| {
    if let Ok(batch) = parse_cifar_pickle(data) {
        assert_eq!(batch.pixels.len(), batch.labels.len() * 3072);
    }
    let _ = parse_cifar_names(data, "label_names");
});
