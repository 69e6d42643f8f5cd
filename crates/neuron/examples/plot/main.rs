//! Draws the documentation's figures of surrogates and membranes: `cargo run -p tks-neuron --example plot`
//! writes them to `docs/src/images`, or to the folder given after `--`.

mod figures;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(figures::folder, PathBuf::from);
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    for (name, svg) in figures::all()? {
        let path = folder.join(name);
        fs::write(&path, svg).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
