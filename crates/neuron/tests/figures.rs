//! The documentation's figures equal those that the code draws.

#[path = "../examples/plot/figures.rs"]
mod figures;

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
