//! Files with the layouts of SHD and N-TIDIGITS18: any bytes give an error or spikes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tks_data::Catalogue;
use tks_events::datasets::{EventSet, SetOptions};

fuzz_target!(|bytes: &[u8]| {
    for (name, file) in [("shd", "shd_train.h5"), ("n-tidigits", "n-tidigits.hdf5")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let manifest = Catalogue::BuiltIn.manifest(name).unwrap();
        let options = SetOptions { strict: false, ..SetOptions::default() };
        if let Ok(set) = EventSet::open(manifest, folder.path(), options) {
            for index in 0..set.len().min(16) {
                let _any = set.read(index);
            }
        }
    }
});
