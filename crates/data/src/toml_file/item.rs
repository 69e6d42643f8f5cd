//! A TOML document whose parts know their position in the source.

use super::path::Place;

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The value.
    pub node: Node,
    /// Its position.
    pub place: Place,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Any other number, and its text.
    Number(f64, String),
    /// True or false.
    Flag(bool),
    /// A date or a time, as text.
    Date(String),
    /// A list.
    List(Vec<Item>),
    /// A table.
    Table(Vec<Entry>),
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's position.
    pub place: Place,
    /// Its value.
    pub item: Item,
}

impl Item {
    /// The entries of a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.node {
            Node::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key of this table.
    pub fn get(&self, key: &str) -> Option<&Item> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.item)
    }

    /// The value at `path`, such as `training.epochs` or `network.layers[1].conv`; if the document does not
    /// go as far, the last value on the path.
    pub fn nearest(&self, path: &str) -> &Item {
        let mut item = self;
        for part in path.split(['.', '[']) {
            let next = match (&item.node, part.strip_suffix(']').map(str::parse::<usize>)) {
                (Node::List(items), Some(Ok(index))) => items.get(index),
                _ => item.get(part),
            };
            match next {
                Some(next) => item = next,
                None => break,
            }
        }
        item
    }

    /// The latest source text that contributed to this value.
    pub fn newest(&self) -> Place {
        let below: Option<Place> = match &self.node {
            Node::Table(entries) => entries.iter().map(|entry| entry.item.newest()).max_by_key(|p| p.source),
            Node::List(items) => items.iter().map(Item::newest).max_by_key(|place| place.source),
            _ => None,
        };
        below.filter(|place| place.source > self.place.source).unwrap_or(self.place)
    }
}
