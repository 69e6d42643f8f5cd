//! The choices that a program adds to the names valid in a configuration.

use std::fmt::{self, Debug};
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a name could not be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It is not valid in a configuration.
    #[error("\"{name}\" is not a snake_case word, such as `my_{}`", kind.replace(' ', "_"))]
    NotAWord {
        /// The kind of choices in the registry, such as `loss`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// It is already taken.
    #[error("there already is a {kind} called `{name}`: choose another name")]
    Taken {
        /// The kind of choices in the registry.
        kind: &'static str,
        /// The name.
        name: String,
    },
}

/// Creates a plan from its parameters, a table; the error describes what is wrong with them.
type Parse<P> = Box<dyn Fn(Value) -> Result<Arc<P>, String> + Send + Sync>;

/// A choice with a name.
pub struct Entry<P: ?Sized> {
    name: &'static str,
    /// Whether the name is followed by a table of parameters.
    has_parameters: bool,
    parse: Parse<P>,
}

impl<P: ?Sized> Debug for Entry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name)
            .field("has_parameters", &self.has_parameters)
            .finish_non_exhaustive()
    }
}

impl<P: ?Sized> Entry<P> {
    /// A choice without parameters.
    pub fn word(name: &str, plan: Arc<P>) -> Self
    where
        P: Send + Sync + 'static,
    {
        Entry {
            name: String::from(name).leak(),
            has_parameters: false,
            parse: Box::new(move |_| Ok(plan.clone())),
        }
    }

    /// A choice with a table of parameters, which are read as `T`.
    pub fn table<T: DeserializeOwned>(
        name: &str,
        plan: impl Fn(T) -> Arc<P> + Send + Sync + 'static,
    ) -> Self {
        let parse = move |parameters| match serde_json::from_value(parameters) {
            Ok(parameters) => Ok(plan(parameters)),
            Err(error) => Err(error.to_string()),
        };
        Entry { name: String::from(name).leak(), has_parameters: true, parse: Box::new(parse) }
    }

    /// Whether the name is followed by a table of parameters.
    pub(crate) fn has_parameters(&self) -> bool {
        self.has_parameters
    }

    /// The choice of this entry with these parameters.
    pub(crate) fn choose(&self, parameters: Value) -> Result<Chosen<P>, String> {
        // TOML has no null: a value that JSON cannot represent was NaN or infinite.
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

/// A registered choice made by a configuration, with its parameters.
pub struct Chosen<P: ?Sized> {
    name: &'static str,
    /// A table, if the name is followed by one.
    parameters: Option<Value>,
    plan: Arc<P>,
}

impl<P: ?Sized> Chosen<P> {
    /// The registered name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The registered plan, with the chosen parameters.
    pub fn plan(&self) -> &P {
        &self.plan
    }

    /// The parameters as written, if the name is followed by any.
    pub(crate) fn parameters(&self) -> Option<&Value> {
        self.parameters.as_ref()
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("parameters", &self.parameters).finish()
    }
}

/// The entries added by a program, and all names including the built-in ones.
pub struct Registry<P: ?Sized> {
    kind: &'static str,
    built_in: &'static [&'static str],
    added: RwLock<Added<P>>,
}

struct Added<P: ?Sized> {
    entries: Vec<Arc<Entry<P>>>,
    /// All names, the built-in ones first. Leaked, since serde requires static names and a program adds only
    /// a few.
    names: &'static [&'static str],
}

impl<P: ?Sized> Debug for Registry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("kind", &self.kind).field("names", &self.names()).finish()
    }
}

impl<P: ?Sized> Registry<P> {
    /// A registry for choices called `kind` in messages (`loss`), in addition to the built-in names.
    pub fn new(kind: &'static str, built_in: &'static [&'static str]) -> Self {
        Registry { kind, built_in, added: RwLock::new(Added { entries: Vec::new(), names: built_in }) }
    }

    /// The word for an entry in messages.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The built-in names.
    pub fn built_in(&self) -> &'static [&'static str] {
        self.built_in
    }

    /// All valid names: the built-in ones, then the added ones.
    pub fn names(&self) -> &'static [&'static str] {
        self.added.read().unwrap_or_else(PoisonError::into_inner).names
    }

    /// Adds an entry, for every configuration that the process reads afterwards.
    ///
    /// # Errors
    /// A name that is already taken or is not a snake_case word.
    pub fn add(&self, entry: Entry<P>) -> Result<(), RegistryError> {
        let (kind, name) = (self.kind, entry.name);
        let is_word = name.starts_with(|letter: char| letter.is_ascii_lowercase())
            && name.chars().all(|letter| matches!(letter, 'a'..='z' | '0'..='9' | '_'));
        if !is_word {
            return Err(RegistryError::NotAWord { kind, name: name.to_owned() });
        }
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        if added.names.contains(&name) {
            return Err(RegistryError::Taken { kind, name: name.to_owned() });
        }
        added.names = added.names.iter().copied().chain([name]).collect::<Vec<_>>().leak();
        added.entries.push(Arc::new(entry));
        Ok(())
    }

    /// The plan with an added name, with its parameters; `None` if the name was not added. Parameters left
    /// out have their defaults.
    ///
    /// # Errors
    /// Invalid parameters, described in a sentence.
    pub fn choose(&self, name: &str, parameters: Option<Value>) -> Option<Result<Arc<P>, String>> {
        let entry = self.find(name)?;
        if parameters.is_some() && !entry.has_parameters {
            return Some(Err("it has no parameters".to_owned()));
        }
        let parameters = parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        Some(entry.choose(parameters).map(|chosen| chosen.plan))
    }

    /// The entry added under this name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Entry<P>>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        added.entries.iter().find(|entry| entry.name == name).cloned()
    }
}
