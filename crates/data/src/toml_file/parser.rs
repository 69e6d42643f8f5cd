//! Parsing text into a document.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Problem};
use super::item::{Entry, Item, Node};
use super::path::{Path, Place};

/// Maximum nesting depth of tables and lists.
pub const MAX_DEPTH: usize = 32;

impl Item {
    /// Parses the document in `text`; `source` is the number of this text.
    ///
    /// # Errors
    /// If the text is not TOML, or tables are nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str, source: usize) -> Result<Item, Fault> {
        let places = Places { text, source };
        let table = DeTable::parse(text).map_err(|error| places.syntax(&error))?;
        let place = Place { source, line: 1, column: 1 };
        Ok(Item { node: places.table(table.get_ref(), 0)?, place })
    }

    /// Parses the single value in `text`, such as `[1, 2]`.
    ///
    /// # Errors
    /// As [`Item::parse`].
    pub fn parse_value(text: &str, source: usize) -> Result<Item, Fault> {
        let places = Places { text, source };
        let value = DeValue::parse(text).map_err(|error| places.syntax(&error))?;
        places.item(&value, 0)
    }
}

/// Converts positions in a text to lines and columns.
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
