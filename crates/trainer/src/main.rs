//! The program `tks`: a thin shell over the library.

use std::process::ExitCode;

use tks_trainer::cli::Cli;

fn main() -> ExitCode {
    Cli::new().run()
}
