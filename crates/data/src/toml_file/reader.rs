//! A serde deserialiser over a document's items. Each value is checked against the expected type before serde
//! sees it, so that errors are in terms of the document.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::fault::{Fault, Problem};
use super::item::{Entry, Item, Node};
use super::path::Path;

/// The settings of a choice that is given by name only.
const NO_ENTRIES: &Node = &Node::Table(Vec::new());

impl Item {
    /// Reads the document as `T`.
    ///
    /// # Errors
    /// The first key or value that `T` does not accept.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(Reader::new(self, Path::Root))
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'t, 'p> {
    node: &'t Node,
    item: &'t Item,
    path: Path<'p>,
    /// Whether the value is missing because a choice is given by name only.
    left_out: bool,
}

impl<'t, 'p> Reader<'t, 'p> {
    fn new(item: &'t Item, path: Path<'p>) -> Self {
        Reader { node: &item.node, item, path, left_out: false }
    }

    fn wrong(&self, expected: impl Into<String>) -> Fault {
        let expected = expected.into();
        let fault = if self.left_out {
            Fault::new(Problem::NeedsValue { expected })
        } else {
            Fault::wrong(shown(self.node), expected)
        };
        fault.at(self.path, self.item.place)
    }

    /// A fault that serde or one of the caller's types found in this value.
    fn found(&self, fault: Fault) -> Fault {
        fault.of_value(self.path, self.item.place, || shown(self.node))
    }

    fn whole(&self, least: i64, most: i64) -> Result<i64, Fault> {
        match self.node {
            Node::Whole(value) if (least..=most).contains(value) => Ok(*value),
            _ => Err(self.wrong(match (least, most) {
                (i64::MIN, i64::MAX) => "a whole number".to_string(),
                (0, i64::MAX) => "a whole number, 0 or more".to_string(),
                _ => format!("a whole number, {least} to {most}"),
            })),
        }
    }

    fn number(&self, largest: f64) -> Result<f64, Fault> {
        match self.node {
            Node::Number(value, _) if !value.is_finite() || value.abs() <= largest => Ok(*value),
            Node::Whole(value) => Ok(*value as f64),
            Node::Number(..) => Err(self.wrong(format!("a number of {largest:.2e} at most"))),
            _ => Err(self.wrong("a number")),
        }
    }

    fn list(&self, length: Option<usize>) -> Result<Items<'t, 'p>, Fault> {
        match (self.node, length) {
            (Node::List(items), None) => Ok(Items { items, path: self.path, next: 0 }),
            (Node::List(items), Some(length)) if items.len() == length => {
                Ok(Items { items, path: self.path, next: 0 })
            }
            (_, None) => Err(self.wrong("a list")),
            (_, Some(length)) => {
                let plural = if length == 1 { "" } else { "s" };
                Err(self.wrong(format!("a list of {length} value{plural}")))
            }
        }
    }

    fn table(&self, fields: &[&str]) -> Result<Entries<'t, 'p>, Fault> {
        match self.node {
            Node::Table(entries) => Ok(Entries { entries, path: self.path, next: 0 }),
            _ if fields.is_empty() => Err(self.wrong("a table")),
            _ => {
                let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
                Err(self.wrong(format!("a table, with the keys {}", fields.join(", "))))
            }
        }
    }
}

/// A value as written, truncated if long.
fn shown(node: &Node) -> String {
    match node {
        Node::Text(text) if text.chars().count() > 60 => {
            format!("\"{}...\"", text.chars().take(60).collect::<String>().escape_debug())
        }
        Node::Text(text) => format!("\"{}\"", text.escape_debug()),
        Node::Whole(value) => value.to_string(),
        Node::Number(_, written) | Node::Date(written) => written.clone(),
        Node::Flag(flag) => flag.to_string(),
        Node::List(items) if items.is_empty() => "an empty list".to_string(),
        Node::List(items) if items.len() > 4 => format!("a list of {} values", items.len()),
        Node::List(items) => {
            format!("[{}]", items.iter().map(|item| shown(&item.node)).collect::<Vec<_>>().join(", "))
        }
        Node::Table(entries) if entries.is_empty() => "an empty table".to_string(),
        Node::Table(entries) => {
            let keys: Vec<String> = entries.iter().take(4).map(|entry| format!("`{}`", entry.key)).collect();
            format!("a table with {}{}", keys.join(", "), if entries.len() > 4 { ", ..." } else { "" })
        }
    }
}

macro_rules! whole_numbers {
    ($($name:ident $visit:ident $kind:ty, $least:expr, $most:expr;)*) => {$(
        fn $name<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
            let value = self.whole($least, $most)?;
            visitor.$visit(value as $kind).map_err(|fault| self.found(fault))
        }
    )*};
}

impl<'t> Deserializer<'t> for Reader<'t, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match self.node {
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::Whole(value) => visitor.visit_i64(*value),
            Node::Number(value, _) => visitor.visit_f64(*value),
            Node::Flag(flag) => visitor.visit_bool(*flag),
            Node::Date(date) => visitor.visit_borrowed_str(date),
            Node::List(items) => visitor.visit_seq(Items { items, path: self.path, next: 0 }),
            Node::Table(entries) => visitor.visit_map(Entries { entries, path: self.path, next: 0 }),
        };
        value.map_err(|fault| self.found(fault))
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Flag(flag) => visitor.visit_bool(*flag).map_err(|fault| self.found(fault)),
            _ => Err(self.wrong("true or false")),
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i64 i64, i8::MIN.into(), i8::MAX.into();
        deserialize_i16 visit_i64 i64, i16::MIN.into(), i16::MAX.into();
        deserialize_i32 visit_i64 i64, i32::MIN.into(), i32::MAX.into();
        deserialize_i64 visit_i64 i64, i64::MIN, i64::MAX;
        deserialize_u8 visit_u64 u64, 0, u8::MAX.into();
        deserialize_u16 visit_u64 u64, 0, u16::MAX.into();
        deserialize_u32 visit_u64 u64, 0, u32::MAX.into();
        deserialize_u64 visit_u64 u64, 0, i64::MAX;
    }

    fn deserialize_f32<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = self.number(f64::from(f32::MAX))?;
        visitor.visit_f64(value).map_err(|fault| self.found(fault))
    }

    fn deserialize_f64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = self.number(f64::INFINITY)?;
        visitor.visit_f64(value).map_err(|fault| self.found(fault))
    }

    fn deserialize_char<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Text(text) => visitor.visit_borrowed_str(text).map_err(|fault| self.found(fault)),
            _ => Err(self.wrong("text in quotes")),
        }
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self).map_err(|fault| self.found(fault))
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Table(entries) if entries.is_empty() => visitor.visit_unit(),
            _ => Err(self.wrong("an empty table")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self).map_err(|fault| self.found(fault))
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.list(None)?).map_err(|fault| self.found(fault))
    }

    fn deserialize_tuple<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.list(Some(length))?).map_err(|fault| self.found(fault))
    }

    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.table(&[])?).map_err(|fault| self.found(fault))
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(self.table(fields)?).map_err(|fault| self.found(fault))
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (name, content) = match self.node {
            Node::Text(name) => (name, None),
            Node::Table(entries) => match entries.as_slice() {
                [Entry { key, item, .. }] => (key, Some(item)),
                [first, second, ..] => {
                    let both = format!("both `{}` and `{}` are given; it takes one", first.key, second.key);
                    return Err(self.found(Fault::new(Problem::Other(both))));
                }
                [] => return Err(self.wrong(choices(names))),
            },
            _ => return Err(self.wrong(choices(names))),
        };
        let choice = Choice { name: name.as_str(), content, item: self.item, path: self.path };
        visitor.visit_enum(choice).map_err(|fault| self.found(fault))
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

fn choices(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("one of {}", names.join(", "))
}

struct Items<'t, 'p> {
    items: &'t [Item],
    path: Path<'p>,
    next: usize,
}

impl<'t> SeqAccess<'t> for Items<'t, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let reader = Reader::new(item, Path::Index(&self.path, self.next));
        self.next += 1;
        seed.deserialize(reader).map(Some).map_err(|fault| reader.found(fault))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'t, 'p> {
    entries: &'t [Entry],
    path: Path<'p>,
    next: usize,
}

impl<'t> MapAccess<'t> for Entries<'t, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        let at = |fault: Fault| fault.at(Path::Key(&self.path, &entry.key), entry.place);
        seed.deserialize(key).map(Some).map_err(at)
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        // Serde requests a value only after its key.
        let Some(entry) = self.entries.get(self.next) else {
            return Err(Fault::new(Problem::Other("a value was read without its key".into())));
        };
        self.next += 1;
        let reader = Reader::new(&entry.item, Path::Key(&self.path, &entry.key));
        seed.deserialize(reader).map_err(|fault| reader.found(fault))
    }
}

/// A choice by name, with or without settings.
struct Choice<'t, 'p> {
    name: &'t str,
    content: Option<&'t Item>,
    /// The value with the choice.
    item: &'t Item,
    path: Path<'p>,
}

impl<'t> Choice<'t, '_> {
    /// Reads the settings; a name alone is an empty table.
    fn settings<T>(&self, read: impl FnOnce(Reader<'t, '_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let path = Path::Key(&self.path, self.name);
        read(match self.content {
            Some(item) => Reader::new(item, path),
            None => Reader { node: NO_ENTRIES, item: self.item, path, left_out: true },
        })
    }
}

impl<'t, 'p> EnumAccess<'t> for Choice<'t, 'p> {
    type Error = Fault;
    type Variant = Choice<'t, 'p>;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'t> VariantAccess<'t> for Choice<'t, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.settings(|reader| match reader.node {
            Node::Table(entries) if entries.is_empty() => Ok(()),
            Node::Table(entries) => {
                let path = Path::Key(&reader.path, &entries[0].key);
                Err(Fault::new(Problem::UnknownKey { known: Vec::new() }).at(path, entries[0].place))
            }
            _ => Err(reader.wrong("an empty table, since this choice has nothing to set")),
        })
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Fault> {
        self.settings(|reader| seed.deserialize(reader).map_err(|fault| reader.found(fault)))
    }

    fn tuple_variant<V: Visitor<'t>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.settings(|reader| reader.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.settings(|reader| reader.deserialize_struct("", fields, visitor))
    }
}
