//! Downloads a data set by the name of its manifest and compares the files with the manifest.
//!
//! `cargo run --release -p tks-data --example fetch_dataset -- n-mnist /data/n-mnist [MIRROR]`; the mirror is
//! a folder or an http(s) address that holds the files under their names.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use tks_data::Catalogue;
use tks_data::fetch::{FetchOptions, Stage, fetch, verify};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("give the name of a data set and the folder it belongs to".into());
    };
    let manifest = Catalogue::BuiltIn.manifest(&name)?;
    let folder = Path::new(&folder);
    let options = FetchOptions { mirror: arguments.next(), ..FetchOptions::default() };

    let mut shown = u64::MAX;
    let fetched = fetch(&manifest, folder, &options, &mut |progress| {
        // One line per MiB is enough for a reader.
        if progress.done >> 20 != shown || progress.stage != Stage::Fetching {
            shown = progress.done >> 20;
            let total = progress.total.map_or("?".to_string(), |total| (total >> 20).to_string());
            print!("\r{}: {:?} {shown} of {total} MiB   ", progress.file, progress.stage);
            let _ = std::io::stdout().flush();
        }
    })?;
    println!();
    for file in fetched {
        println!("{}: {:?}", file.path.display(), file.how);
    }
    for (file, state) in verify(&manifest, folder)? {
        println!("{file}: {state:?}");
    }
    Ok(())
}
