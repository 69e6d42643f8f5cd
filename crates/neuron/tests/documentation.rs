//! The documentation covers every surrogate: a row in the chapter on neurons, keys in the configuration's reference.

use std::path::Path;

use tks_neuron::{Neuron, Surrogate};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// The rows of the chapter's table of surrogates, as cells.
fn rows(chapter: &str) -> Vec<Vec<&str>> {
    chapter
        .lines()
        .skip_while(|line| !line.starts_with("| `surrogate` |"))
        .skip(2)
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_chapter_on_neurons_has_a_row_of_each_surrogate_in_order() {
    let chapter = read("docs/src/neurons.md");
    let rows = rows(&chapter);
    let names: Vec<&str> =
        rows.iter().filter_map(|row| row[0].strip_prefix('`')?.split('`').next()).collect();
    let expected: Vec<&str> = Surrogate::all().iter().map(Surrogate::name).collect();
    assert_eq!(names, expected);
    for (row, surrogate) in rows.iter().zip(Surrogate::all()) {
        let name = surrogate.name();
        let [_, parameters, primitive, derivative, source] = row[..] else {
            panic!("`{name}`: five columns, not {row:?}");
        };
        let defaults: Vec<String> =
            surrogate.parameters().iter().map(|(name, value)| format!("`{name} = {value}`")).collect();
        assert_eq!(parameters, defaults.join(", "), "`{name}`");
        for cell in [primitive, derivative, source] {
            assert!(!cell.is_empty(), "`{name}` lacks a cell");
        }
    }
}

#[test]
fn the_configuration_says_of_each_parameter_what_it_may_be() {
    let keys = read("crates/trainer/src/config/keys.tsv");
    for surrogate in Surrogate::all() {
        let key = format!("network.neuron.surrogate.{}", surrogate.name());
        assert!(keys.contains(&format!("\n{key}\ttable\t")), "{key}: run `cargo xtask reference`");
        for (parameter, _) in surrogate.parameters() {
            let key = format!("{key}.{parameter}");
            let line = keys.lines().find(|line| line.split('\t').next() == Some(&key));
            let line = line.unwrap_or_else(|| panic!("{key}: run `cargo xtask reference`"));
            // The error for an invalid value states the range.
            let text = format!("surrogate = {{ {} = {{ {parameter} = nan }} }}", surrogate.name());
            let neuron: Neuron = toml::from_str(&text).unwrap();
            let message = neuron.check().unwrap_err().to_string();
            let range = message.rsplit("it must be finite and ").next().unwrap();
            assert!(line.ends_with(range), "{line}: the comment of the field should end with \"{range}\"");
        }
    }
}
