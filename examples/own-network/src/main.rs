//! `tks` with this program's own layer, loss and recording format: `cargo run -- train bars.toml`.

mod format;
mod layer;
mod loss;

use std::process::ExitCode;

use tks_trainer::cli::Cli;

fn main() -> ExitCode {
    Cli::new()
        .layer_with::<layer::Gain>("gain")
        .loss_with::<loss::LateSteps>("late_steps")
        .event_format("bars", format::Bars)
        .preset("bars", include_str!("../bars.toml"))
        .run()
}
