//! The documentation's figures equal those that the code draws.

#[path = "../examples/plot/figures.rs"]
mod figures;

use tks_neuron::{Model, Surrogate};

#[test]
fn the_committed_figures_are_drawn_by_this_code() {
    for (name, svg) in figures::all().unwrap() {
        let path = figures::folder().join(name);
        let committed = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        assert!(
            committed == svg,
            "{} is not what the code draws: run `cargo run -p tks-neuron --example plot`",
            path.display()
        );
    }
}

#[test]
fn every_model_and_surrogate_has_its_place_in_a_figure() {
    let [surrogates, membranes] = figures::all().unwrap().map(|(_, svg)| svg);
    for surrogate in Surrogate::all() {
        let is_title = |line: &str| line.split(" (").next() == Some(surrogate.name());
        assert!(surrogates.lines().any(is_title), "no panel of {}", surrogate.name());
    }
    for model in Model::all() {
        assert!(membranes.contains(&format!("\n{}: input ", model.name())), "no panel of {}", model.name());
    }
}
