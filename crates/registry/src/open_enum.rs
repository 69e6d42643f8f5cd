//! Enums whose variants are the built-in choices and to which a program can add names. They are read and
//! written by serde like any enum.
//!
//! Built-in choices are passed to serde's derived code with their original reader, so that errors retain
//! their position in the file.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::registry::{Chosen, Registry};

/// An enum of built-in choices, with a variant for choices registered by a program.
pub trait OpenEnum: Sized {
    /// The type of registered choices.
    type Plan: ?Sized + 'static;

    /// The registry.
    fn registry() -> &'static Registry<Self::Plan>;

    /// Serde's derived code, for built-in choices.
    fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Serde's derived code, for built-in choices.
    fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Wraps a registered choice.
    fn from_chosen(chosen: Chosen<Self::Plan>) -> Self;

    /// The registered choice, if it is one.
    fn chosen(&self) -> Option<&Chosen<Self::Plan>>;
}

/// Implements serde's `Deserialize` and `Serialize` for an [`OpenEnum`] whose derived code is `remote = "Self"`; the second
/// argument is [`open_enum::deserialize`](deserialize) or
/// [`open_enum::deserialize_name_or_table`](deserialize_name_or_table).
#[macro_export]
macro_rules! serde_of_open_enum {
    ($open_enum:ty, $deserialize:path) => {
        impl<'de> $crate::serde::Deserialize<'de> for $open_enum {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                $deserialize(deserializer)
            }
        }

        impl $crate::serde::Serialize for $open_enum {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::open_enum::serialize(self, serializer)
            }
        }
    };
}

/// Reads a choice the way serde reads an enum.
///
/// # Errors
/// An unknown name; parameters that do not fit it.
pub fn deserialize<'de, T: OpenEnum, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_enum("choice", T::registry().names(), OpenVisitor(PhantomData))
}

/// Reads a choice whose parameters all have defaults, from any self-describing format: the name alone is
/// sufficient.
///
/// # Errors
/// As [`deserialize`], and two choices in one table.
pub fn deserialize_name_or_table<'de, T: OpenEnum, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(NameOrTable(OpenVisitor(PhantomData)))
}

/// Writes a choice the way serde writes an enum.
///
/// # Errors
/// Errors of the serializer.
pub fn serialize<T: OpenEnum, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    match value.chosen() {
        None => value.write_built_in(serializer),
        Some(chosen) => match chosen.parameters() {
            None => chosen.name().serialize(serializer),
            Some(parameters) => serializer.serialize_newtype_variant("choice", 0, chosen.name(), parameters),
        },
    }
}

/// The choice for a name alone, with default parameters.
///
/// # Errors
/// An unknown name, or one with a parameter that has no default.
pub fn by_name<T: OpenEnum>(name: &str) -> Result<T, de::value::Error> {
    from_name(name)
}

fn from_name<T: OpenEnum, E: de::Error>(name: &str) -> Result<T, E> {
    let names = T::registry().names();
    Name(name, PhantomData).deserialize_enum("choice", names, OpenVisitor(PhantomData))
}

/// The name of a choice.
pub fn name<T: OpenEnum>(value: &T) -> String {
    if let Some(chosen) = value.chosen() {
        return chosen.name().to_owned();
    }
    match value.write_built_in(serde_json::value::Serializer) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(table)) => table.into_iter().map(|(name, _)| name).next().unwrap_or_default(),
        _ => String::new(),
    }
}

/// The names of an enum's variants, as defined by serde's derived code.
pub fn variants<T: OpenEnum>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // The probe ends with this error.
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
        let parameters = if entry.has_parameters() {
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

/// An enum whose variant name has already been read.
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

/// A name alone, or a table with a single name as key.
struct NameOrTable<T>(OpenVisitor<T>);

impl<'de, T: OpenEnum> Visitor<'de> for NameOrTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = T::registry();
        let (kind, names) = (registry.kind(), registry.names().join(", "));
        let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        write!(f, "{article} {kind}'s name or a table of that name ({names})")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
        from_name(name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        self.0.visit_enum(Table { name, map, kind: T::registry().kind() })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        self.0.visit_enum(access)
    }
}

/// A table whose first key, the name, has been read; its value contains the parameters.
struct Table<A> {
    name: String,
    map: A,
    kind: &'static str,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Table<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), A::Error> {
        let name: StrDeserializer<'_, A::Error> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

/// The settings of a choice without settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Table<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.newtype_variant().map(|NoSettings {}| ())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<S::Value, A::Error> {
        let settings = self.map.next_value_seed(seed)?;
        match self.map.next_key::<String>()? {
            None => Ok(settings),
            Some(second) => Err(de::Error::custom(format_args!(
                "both `{}` and `{second}` are given; there is one {}",
                self.name, self.kind
            ))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, _: V) -> Result<V::Value, A::Error> {
        Err(de::Error::invalid_length(length, &"settings by their names"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.newtype_variant_seed(Settings(visitor))
    }
}

/// Reads a table with the visitor of a variant with fields.
struct Settings<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Settings<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_map(self.0)
    }
}

/// A name without a table: all parameters have their defaults.
struct Name<'n, E>(&'n str, PhantomData<E>);

impl<'de, E: de::Error> Deserializer<'de> for Name<'_, E> {
    type Error = E;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(Replay { name: self.0.to_owned(), content: Defaults(PhantomData) })
    }

    only_an_enum!('de);
}

/// The parameters of a name alone.
struct Defaults<E>(PhantomData<E>);

impl<'de, E: de::Error> VariantAccess<'de> for Defaults<E> {
    type Error = E;

    fn unit_variant(self) -> Result<(), E> {
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

/// Obtains the names of an enum's variants without reading anything.
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
