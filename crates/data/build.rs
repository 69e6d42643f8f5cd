//! Builds the data sets' manifests and stored splits into the library, so that a program does not need their
//! folder.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let datasets = fs::canonicalize(Path::new(&manifest_dir).join("../../datasets"))?;
    let mut source = String::new();
    list(&mut source, "MANIFESTS", &datasets, "")?;
    list(&mut source, "SPLITS", &datasets.join("splits"), "splits/")?;
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("catalogue.rs"), source)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// Writes a constant with the path (from `datasets` on) and the text of each TOML file in `folder`.
fn list(source: &mut String, constant: &str, folder: &Path, prefix: &str) -> io::Result<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    writeln!(source, "const {constant}: &[(&str, &str)] = &[").expect("a string takes all");
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writeln!(source, "    ({:?}, include_str!({:?})),", format!("{prefix}{name}"), file)
            .expect("a string takes all");
    }
    writeln!(source, "];").expect("a string takes all");
    Ok(())
}
