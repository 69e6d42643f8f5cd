#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_events::formats::{Format, ReadOptions, read_bytes};

fuzz_target!(|bytes: &[u8]| {
    for (lenient, columns) in [(false, ""), (true, ""), (true, "y,x,p,t_ns"), (true, "y,x,_,p,t")] {
        let columns = columns.parse().unwrap();
        let options = ReadOptions { format: Some(Format::Npy), lenient, columns, ..ReadOptions::default() };
        let _any = read_bytes("fuzz", bytes, &options);
    }
});
