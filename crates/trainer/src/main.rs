//! The program `tks`: a thin shell over the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tks_autograd::runtime::prepare();
    tks_trainer::cli::main()
}
