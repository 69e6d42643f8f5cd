//! A TOML document whose parts know where they were written.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::MAX_DEPTH;
use super::fault::{Fault, Problem};
use super::reader::{Path, Reader};

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// In which of the texts that make up a document; the caller numbers them.
    pub source: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

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
    /// The document that `text` holds; `source` is the number of this text.
    ///
    /// # Errors
    /// What is no TOML, and tables deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str, source: usize) -> Result<Item, Fault> {
        let places = Places { text, source };
        let table = DeTable::parse(text).map_err(|error| places.syntax(&error))?;
        let place = Place { source, line: 1, column: 1 };
        Ok(Item { node: places.table(table.get_ref(), 0)?, place })
    }

    /// The single value that `text` holds, such as `[1, 2]`.
    ///
    /// # Errors
    /// As [`Item::parse`].
    pub fn parse_value(text: &str, source: usize) -> Result<Item, Fault> {
        let places = Places { text, source };
        let value = DeValue::parse(text).map_err(|error| places.syntax(&error))?;
        places.item(&value, 0)
    }

    /// What the document says, as `T`.
    ///
    /// # Errors
    /// The first key or value that `T` does not take.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(Reader::new(self, Path::Root))
    }

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

/// From positions in a text to lines and columns.
struct Places<'t> {
    text: &'t str,
    source: usize,
}

impl Places<'_> {
    fn at(&self, start: usize) -> Place {
        let before = self.text.get(..start).unwrap_or("");
        Place {
            source: self.source,
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or("").chars().count() + 1,
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> Fault {
        let message = match error.message().trim() {
            message if message.contains("recurs") => too_deep(),
            message => message.replace('\n', ", "),
        };
        let place = self.at(error.span().map_or(0, |span| span.start));
        Fault::new(Problem::Syntax(message)).at(Path::Root, place)
    }

    fn item(&self, value: &Spanned<DeValue>, depth: usize) -> Result<Item, Fault> {
        let place = self.at(value.span().start);
        let deep = || Fault::new(Problem::Syntax(too_deep())).at(Path::Root, place);
        let node = match value.get_ref() {
            DeValue::String(text) => Node::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(whole) => Node::Whole(whole),
                Err(_) => Node::Number(number.as_str().parse().unwrap_or(f64::INFINITY), number.to_string()),
            },
            DeValue::Float(number) => {
                let written = number.as_str();
                Node::Number(written.parse().unwrap_or(f64::NAN), written.to_string())
            }
            DeValue::Boolean(flag) => Node::Flag(*flag),
            DeValue::Datetime(date) => Node::Date(date.to_string()),
            DeValue::Array(_) | DeValue::Table(_) if depth >= MAX_DEPTH => return Err(deep()),
            DeValue::Array(values) => {
                let items = values.iter().map(|value| self.item(value, depth + 1));
                Node::List(items.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => self.table(table, depth + 1)?,
        };
        Ok(Item { node, place })
    }

    fn table(&self, table: &DeTable, depth: usize) -> Result<Node, Fault> {
        let entries = table.iter().map(|(key, value)| {
            let item = self.item(value, depth)?;
            Ok(Entry { key: key.get_ref().to_string(), place: self.at(key.span().start), item })
        });
        Ok(Node::Table(entries.collect::<Result<_, _>>()?))
    }
}

fn too_deep() -> String {
    format!("tables and lists lie more than {MAX_DEPTH} deep within one another")
}
