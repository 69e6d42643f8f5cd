//! `--set section.key=value`: overrides one value of the configuration from the command line.

use anyhow::{Result, bail};
use tks_data::toml_file::{Entry, Item, MAX_DEPTH, Node, Place};

use super::error::shortened;
use super::keys;

/// Applies `section.key=value`, the text with number `source`, to `table`. The value is TOML; a word that is
/// not TOML is read as text. A setting of an option that is not selected, such as
/// `network.neuron.model.plif.init_tau`, selects that option.
pub(super) fn apply(table: &mut Item, change: &str, source: usize) -> Result<()> {
    let said = shortened(change);
    let Some((path, value)) = change.split_once('=') else {
        bail!("`--set {said}`: it should have the form section.key=value, such as training.epochs=10");
    };
    let keys: Vec<&str> = path.trim().split('.').map(str::trim).collect();
    if keys.len() > MAX_DEPTH {
        bail!("`--set {said}`: the key has {} parts, more than {MAX_DEPTH}", keys.len());
    }
    if keys.iter().any(|key| key.is_empty()) {
        bail!("`--set {said}`: there is a name missing before or after a dot");
    }
    let place = Place { source, line: 1, column: 1 };
    let mut value = parse(value.trim(), source, &said)?;
    set_place(&mut value, place);
    let mut item = table;
    for (depth, key) in keys.iter().enumerate() {
        let above = keys[..depth].join(".");
        // An option given as a word becomes a table if the override requires one; a choice has one name.
        let keep = matches!(&item.node, Node::Table(entries)
            if !keys::is_choice(&above, key) || entries.iter().all(|entry| entry.key == *key));
        if !keep {
            *item = Item { node: Node::Table(Vec::new()), place };
        }
        let Node::Table(entries) = &mut item.node else { unreachable!("just made one") };
        let at = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            let item = Item { node: Node::Table(Vec::new()), place };
            entries.push(Entry { key: (*key).to_string(), place, item });
            entries.len() - 1
        });
        item = &mut entries[at].item;
    }
    *item = value;
    Ok(())
}

fn parse(value: &str, source: usize, said: &str) -> Result<Item> {
    match Item::parse_value(value, source) {
        Ok(item) => Ok(item),
        // A value that starts like a list, a table or quoted text contains a typing error.
        Err(fault) if value.starts_with(['[', '{', '"', '\'']) => bail!("`--set {said}`: {fault}"),
        Err(_) => {
            let place = Place { source, line: 1, column: 1 };
            Ok(Item { node: Node::Text(value.to_string()), place })
        }
    }
}

/// Assigns one place to all parts of a value.
fn set_place(item: &mut Item, place: Place) {
    item.place = place;
    match &mut item.node {
        Node::List(items) => items.iter_mut().for_each(|item| set_place(item, place)),
        Node::Table(entries) => entries.iter_mut().for_each(|entry| {
            entry.place = place;
            set_place(&mut entry.item, place);
        }),
        _ => {}
    }
}

/// Copies the places of the values in `written` to `whole`, in which defaults are written out.
pub(super) fn take_places(whole: &mut Item, written: &Item) {
    whole.place = written.place;
    match (&mut whole.node, &written.node) {
        (Node::Table(entries), Node::Table(from)) => {
            for entry in entries {
                if let Some(found) = from.iter().find(|found| found.key == entry.key) {
                    entry.place = found.place;
                    take_places(&mut entry.item, &found.item);
                }
            }
        }
        (Node::List(items), Node::List(from)) => {
            items.iter_mut().zip(from).for_each(|(item, found)| take_places(item, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, change: &str) -> Item {
        let mut table = Item::parse(text, 1).unwrap();
        apply(&mut table, change, 2).unwrap();
        table
    }

    #[test]
    fn values_are_numbers_lists_tables_or_words() {
        let value = |change: &str| changed("", change).get("a").unwrap().node.clone();
        assert_eq!(value("a=1"), Node::Whole(1));
        assert_eq!(value("a = 0.5"), Node::Number(0.5, "0.5".into()));
        assert!(matches!(value("a=[1, 2]"), Node::List(items) if items.len() == 2));
        assert_eq!(value("a=vgg_snn"), Node::Text("vgg_snn".into()));
        assert_eq!(value("a=x = y"), Node::Text("x = y".into()));
        assert_eq!(value("a=/data/cifar-10"), Node::Text("/data/cifar-10".into()));
    }

    #[test]
    fn sections_are_made_and_kept() {
        let table = changed("[training]\nepochs = 3\n", "training.batch_size=8");
        assert_eq!(table.nearest("training.epochs").node, Node::Whole(3));
        assert_eq!(table.nearest("training.epochs").place.source, 1);
        assert_eq!(table.nearest("training.batch_size").node, Node::Whole(8));
        assert_eq!(table.nearest("training.batch_size").place.source, 2);
        assert_eq!(changed("", "a.b.c=1").nearest("a.b.c").node, Node::Whole(1));
    }

    #[test]
    fn a_setting_of_another_choice_makes_that_choice() {
        let text = "[network.neuron.model.lif]\ntau = 3.0\n";
        let model = |change: &str| changed(text, change).nearest("network.neuron.model").clone();
        let keys = |item: &Item| -> Vec<String> {
            item.entries().unwrap().iter().map(|entry| entry.key.clone()).collect()
        };
        assert_eq!(keys(&model("network.neuron.model.plif.init_tau=2")), ["plif"]);
        let same = model("network.neuron.model.lif.decay_input=false");
        assert_eq!(
            (keys(&same), keys(same.get("lif").unwrap())),
            (vec!["lif".into()], vec!["tau".into(), "decay_input".into()])
        );
        // An unknown name is kept beside the other, so that the error is about it.
        assert_eq!(keys(&model("network.neuron.model.plof.tau=2")), ["lif", "plof"]);
    }

    #[test]
    fn what_is_no_change_is_refused() {
        let deep = format!("{}=1", vec!["a"; 20_000].join("."));
        for wrong in ["epochs", "training..epochs=3", ".a=1", "a=[1,", deep.as_str()] {
            let said = apply(&mut Item::parse("", 1).unwrap(), wrong, 2).unwrap_err().to_string();
            assert!(said.starts_with("`--set ") && said.len() < 300, "{said}");
        }
    }
}
