//! `--set section.key=value`: one value of the configuration changed from the command line.

use anyhow::{Result, anyhow, bail};
use tks_data::DataError;
use toml::{Table, Value};

/// Changes `table` by `section.key=value`. The value is TOML; a word that is none is taken as text.
pub(super) fn apply(table: &mut Table, change: &str) -> Result<()> {
    let Some((path, value)) = change.split_once('=') else {
        bail!("`--set {change}`: it should have the form section.key=value");
    };
    let keys: Vec<&str> = path.trim().split('.').map(str::trim).collect();
    let [sections @ .., key] = keys.as_slice() else { unreachable!("a split has at least one part") };
    if keys.iter().any(|key| key.is_empty()) {
        bail!("`--set {change}`: there is a name missing before or after a dot");
    }
    let mut place = table;
    for section in sections {
        place = match place.entry(*section).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => inner,
            // An option given as a word becomes a table where the change asks for one.
            other => {
                *other = Value::Table(Table::new());
                let Value::Table(inner) = other else { unreachable!("just made one") };
                inner
            }
        };
    }
    place.insert((*key).to_string(), parse(value.trim()));
    Ok(())
}

fn parse(value: &str) -> Value {
    let as_toml = toml::from_str::<Table>(&format!("value = {value}")).ok();
    as_toml.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(value.to_string()))
}

/// What is wrong, said of the change and not of a line that the user never wrote.
pub(super) fn explain(change: &str, error: &DataError) -> anyhow::Error {
    match error {
        DataError::Toml { message, .. } => anyhow!("`--set {change}`: {message}"),
        other => anyhow!("`--set {change}`: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, change: &str) -> Table {
        let mut table: Table = toml::from_str(text).unwrap();
        apply(&mut table, change).unwrap();
        table
    }

    #[test]
    fn values_are_numbers_lists_tables_or_words() {
        let value = |change: &str| changed("", change)["a"].clone();
        assert_eq!(value("a=1"), Value::Integer(1));
        assert_eq!(value("a = 0.5"), Value::Float(0.5));
        assert_eq!(value("a=[1, 2]"), Value::Array(vec![Value::Integer(1), Value::Integer(2)]));
        assert_eq!(value("a=vgg_snn"), Value::String("vgg_snn".into()));
        assert_eq!(value("a=x = y"), Value::String("x = y".into()));
    }

    #[test]
    fn sections_are_made_and_kept() {
        let table = changed("[training]\nepochs = 3\n", "training.batch_size=8");
        assert_eq!(table["training"]["epochs"], Value::Integer(3));
        assert_eq!(table["training"]["batch_size"], Value::Integer(8));
        assert_eq!(changed("", "a.b.c=1")["a"]["b"]["c"], Value::Integer(1));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for wrong in ["epochs", "training..epochs=3", ".a=1"] {
            assert!(apply(&mut Table::new(), wrong).is_err(), "{wrong}");
        }
    }
}
