//! What a program adds to the names that a configuration may have: architectures and layers of its own.

use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::config_error;
use crate::error::ModelError;

/// Makes a plan of its parameters, a table; the error says what is wrong with them.
type Parse<P> = Box<dyn Fn(Value) -> Result<Arc<P>, String> + Send + Sync>;

/// Something that can be chosen by name.
pub(crate) struct Entry<P: ?Sized> {
    pub(crate) name: &'static str,
    /// Whether the name is followed by a table of parameters.
    pub(crate) has_parameters: bool,
    parse: Parse<P>,
}

impl<P: ?Sized> Entry<P> {
    /// A name that stands alone.
    pub(crate) fn word(name: &str, plan: Arc<P>) -> Self
    where
        P: Send + Sync + 'static,
    {
        Entry {
            name: String::from(name).leak(),
            has_parameters: false,
            parse: Box::new(move |_| Ok(plan.clone())),
        }
    }

    /// A name with a table of parameters, which are read as `T`.
    pub(crate) fn table<T: DeserializeOwned>(
        name: &str,
        plan: impl Fn(T) -> Arc<P> + Send + Sync + 'static,
    ) -> Self {
        let parse = move |parameters| match serde_json::from_value(parameters) {
            Ok(parameters) => Ok(plan(parameters)),
            Err(error) => Err(error.to_string()),
        };
        Entry { name: String::from(name).leak(), has_parameters: true, parse: Box::new(parse) }
    }

    /// The choice of this entry, by its parameters.
    pub(crate) fn choose(&self, parameters: Value) -> Result<Chosen<P>, String> {
        // TOML has no null: what JSON cannot hold was NaN or infinite.
        if has_null(&parameters) {
            return Err("a number is not finite".to_owned());
        }
        let plan = (self.parse)(parameters.clone())?;
        Ok(Chosen { name: self.name, parameters: self.has_parameters.then_some(parameters), plan })
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(entries) => entries.values().any(has_null),
        _ => false,
    }
}

/// A registered name that a configuration chose, with its parameters.
pub struct Chosen<P: ?Sized> {
    pub(crate) name: &'static str,
    /// A table, where the name is followed by one.
    pub(crate) parameters: Option<Value>,
    pub(crate) plan: Arc<P>,
}

impl<P: ?Sized> Chosen<P> {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What was registered, with the parameters that were chosen.
    pub fn plan(&self) -> &P {
        &self.plan
    }
}

impl<P: ?Sized> Clone for Chosen<P> {
    fn clone(&self) -> Self {
        Chosen { name: self.name, parameters: self.parameters.clone(), plan: self.plan.clone() }
    }
}

impl<P: ?Sized> PartialEq for Chosen<P> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.parameters == other.parameters
    }
}

impl<P: ?Sized> Debug for Chosen<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(self.name).field("parameters", &self.parameters).finish()
    }
}

/// The entries that a program added, and all names: one of these for the whole process, since a configuration is read where
/// nobody can hand one over.
pub(crate) struct Registry<P: ?Sized> {
    built_in: &'static [&'static str],
    added: RwLock<Added<P>>,
}

struct Added<P: ?Sized> {
    entries: Vec<Arc<Entry<P>>>,
    /// Every name, what ships first. Leaked: serde takes names that live for ever, and a program adds few.
    names: &'static [&'static str],
}

impl<P: ?Sized> Registry<P> {
    pub(crate) fn new(built_in: &'static [&'static str]) -> Self {
        Registry { built_in, added: RwLock::new(Added { entries: Vec::new(), names: built_in }) }
    }

    /// The names of what ships.
    pub(crate) fn built_in(&self) -> &'static [&'static str] {
        self.built_in
    }

    /// Every name that can be chosen.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        self.added.read().unwrap_or_else(PoisonError::into_inner).names
    }

    /// Adds an entry; `what` is what the entry is called in messages.
    pub(crate) fn add(&self, what: &str, entry: Entry<P>) -> Result<(), ModelError> {
        let name = entry.name;
        let is_word = name.starts_with(|letter: char| letter.is_ascii_lowercase())
            && name.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_'));
        if !is_word {
            let problem = format!("\"{name}\" is not a snake_case word, such as `my_{what}`");
            return Err(config_error(what, problem));
        }
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        if added.names.contains(&name) {
            return Err(config_error(
                what,
                format!("there already is one called `{name}`: choose another name"),
            ));
        }
        added.names = added.names.iter().copied().chain([name]).collect::<Vec<_>>().leak();
        added.entries.push(Arc::new(entry));
        Ok(())
    }

    /// The entry that a program added by this name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Entry<P>>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        added.entries.iter().find(|entry| entry.name == name).cloned()
    }
}
