//! Enums whose variants are what ships, and to which a program adds names: read and written by serde like any enum.
//!
//! What ships goes to serde's derived code with the reader that it came from, so that an error still knows where in the
//! file it is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::registry::{Chosen, Registry};

/// An enum of what ships, with a variant for what a program registered.
pub(crate) trait OpenEnum: Sized {
    /// What is registered.
    type Plan: ?Sized + 'static;

    /// Where it is registered.
    fn registry() -> &'static Registry<Self::Plan>;

    /// Serde's derived code, for what ships.
    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Serde's derived code, for what ships.
    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// What was registered.
    fn from_chosen(chosen: Chosen<Self::Plan>) -> Self;

    /// What was registered, if it is that.
    fn chosen(&self) -> Option<&Chosen<Self::Plan>>;
}

pub(crate) fn deserialize<'de, T: OpenEnum, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_enum("choice", T::registry().names(), OpenVisitor(PhantomData))
}

pub(crate) fn serialize<T: OpenEnum, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    match value.chosen() {
        None => value.write_built_in(serializer),
        Some(Chosen { name, parameters: None, .. }) => name.serialize(serializer),
        Some(Chosen { name, parameters: Some(parameters), .. }) => {
            serializer.serialize_newtype_variant("choice", 0, name, parameters)
        }
    }
}

/// The value of a name alone, with default parameters.
pub(crate) fn by_name<T: OpenEnum>(name: &str) -> Result<T, de::value::Error> {
    let names = T::registry().names();
    Name(name).deserialize_enum("choice", names, OpenVisitor(PhantomData))
}

/// A value's name.
pub(crate) fn name<T: OpenEnum>(value: &T) -> String {
    if let Some(chosen) = value.chosen() {
        return chosen.name.to_owned();
    }
    match value.write_built_in(serde_json::value::Serializer) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(table)) => table.into_iter().map(|(name, _)| name).next().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The names of an enum's variants, as serde's derived code has them.
pub(crate) fn variants<T: OpenEnum>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The error is how the probe ends.
    let _ended = T::read_built_in(Probe(&mut names));
    names
}

struct OpenVisitor<T>(PhantomData<T>);

impl<'de, T: OpenEnum> Visitor<'de> for OpenVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enum of names")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        let (name, content): (String, _) = access.variant()?;
        if T::registry().built_in().contains(&name.as_str()) {
            return T::read_built_in(Replay { name, content });
        }
        let Some(entry) = T::registry().find(&name) else {
            return Err(de::Error::unknown_variant(&name, T::registry().names()));
        };
        let parameters = if entry.has_parameters {
            content.newtype_variant::<Value>()?
        } else {
            content.unit_variant()?;
            Value::Object(Map::new())
        };
        let chosen = entry
            .choose(parameters)
            .map_err(|problem| de::Error::custom(format_args!("`{name}`: {problem}")))?;
        Ok(T::from_chosen(chosen))
    }
}

/// An enum whose variant's name was read already.
struct Replay<V> {
    name: String,
    content: V,
}

macro_rules! only_an_enum {
    ($lifetime:lifetime) => {
        fn deserialize_any<V: Visitor<$lifetime>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("only a choice by name is read here"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    };
}

impl<'de, A: VariantAccess<'de>> Deserializer<'de> for Replay<A> {
    type Error = A::Error;

    fn deserialize_enum<W: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: W,
    ) -> Result<W::Value, A::Error> {
        visitor.visit_enum(self)
    }

    only_an_enum!('de);
}

impl<'de, A: VariantAccess<'de>> EnumAccess<'de> for Replay<A> {
    type Error = A::Error;
    type Variant = A;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, A), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self.content))
    }
}

/// A name without a table: parameters have their defaults.
struct Name<'n>(&'n str);

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = de::value::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(Replay { name: self.0.to_owned(), content: Defaults })
    }

    only_an_enum!('de);
}

/// The parameters of a name alone.
struct Defaults;

impl<'de> VariantAccess<'de> for Defaults {
    type Error = de::value::Error;

    fn unit_variant(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Self::Error> {
        seed.deserialize(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Self::Error> {
        MapDeserializer::new(std::iter::empty::<(&str, &str)>()).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        MapDeserializer::new(std::iter::empty::<(&str, &str)>()).deserialize_any(visitor)
    }
}

/// Learns the names of an enum's variants and reads nothing.
struct Probe<'p>(&'p mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = de::value::Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = names;
        Err(de::Error::custom("nothing is read"))
    }

    only_an_enum!('de);
}
