//! A TOML document whose parts know where they were written.

use super::path::Place;

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The value.
    pub node: Node,
    /// Where it begins.
    pub place: Place,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Any other number, and how it was written.
    Number(f64, String),
    /// True or false.
    Flag(bool),
    /// A date or a time, as it was written.
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
    /// Where the key begins.
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

    /// The value that `path`, such as `training.epochs` or `network.layers[1].conv`, leads to; where the path goes
    /// further than the document does, the last value on it.
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

    /// The latest text that had a part in this value.
    pub fn newest(&self) -> Place {
        let below: Option<Place> = match &self.node {
            Node::Table(entries) => entries.iter().map(|entry| entry.item.newest()).max_by_key(|p| p.source),
            Node::List(items) => items.iter().map(Item::newest).max_by_key(|place| place.source),
            _ => None,
        };
        below.filter(|place| place.source > self.place.source).unwrap_or(self.place)
    }
}
