//! Choices by name to which a program can add.
//!
//! A configuration selects a network, a layer, a loss or a format by name. The built-in choices are an enum,
//! read by serde's derived code, so that errors include their position and the documentation follows from the
//! types. A program can add choices at run time: [`Registry`] stores the added names, and [`OpenEnum`] reads
//! both as one choice.
//!
//! ```
//! use std::fmt::Debug;
//! use std::sync::LazyLock;
//!
//! use serde::{Deserialize, Deserializer, Serialize, Serializer};
//! use tks_registry::{Chosen, Entry, OpenEnum, Registry, open_enum};
//!
//! trait Shape: Debug + Send + Sync {
//!     fn area(&self) -> f64;
//! }
//!
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
//! #[serde(rename_all = "snake_case", remote = "Self")]
//! enum ShapeConfig {
//!     UnitSquare,
//!     #[serde(skip)]
//!     Own(Chosen<dyn Shape>),
//! }
//!
//! static REGISTRY: LazyLock<Registry<dyn Shape>> =
//!     LazyLock::new(|| Registry::new("shape", open_enum::variants::<ShapeConfig>()));
//!
//! impl OpenEnum for ShapeConfig {
//!     type Plan = dyn Shape;
//!
//!     fn registry() -> &'static Registry<dyn Shape> {
//!         &REGISTRY
//!     }
//!     fn read_built_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
//!         ShapeConfig::deserialize(deserializer)
//!     }
//!     fn write_built_in<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
//!         ShapeConfig::serialize(self, serializer)
//!     }
//!     fn from_chosen(chosen: Chosen<dyn Shape>) -> Self {
//!         ShapeConfig::Own(chosen)
//!     }
//!     fn chosen(&self) -> Option<&Chosen<dyn Shape>> {
//!         match self {
//!             ShapeConfig::Own(own) => Some(own),
//!             ShapeConfig::UnitSquare => None,
//!         }
//!     }
//! }
//! tks_registry::serde_of_open_enum!(ShapeConfig, open_enum::deserialize_name_or_table);
//!
//! #[derive(Debug, Deserialize)]
//! struct Circle {
//!     radius: f64,
//! }
//!
//! impl Shape for Circle {
//!     fn area(&self) -> f64 {
//!         std::f64::consts::PI * self.radius * self.radius
//!     }
//! }
//!
//! REGISTRY.add(Entry::table("circle", |circle: Circle| std::sync::Arc::new(circle) as _))?;
//!
//! #[derive(Deserialize)]
//! struct Drawing {
//!     shape: ShapeConfig,
//! }
//! let drawing: Drawing = toml::from_str("shape = { circle = { radius = 1.0 } }")?;
//! assert_eq!(drawing.shape.chosen().expect("a shape of this program").plan().area(), std::f64::consts::PI);
//! let drawing: Drawing = toml::from_str("shape = 'unit_square'")?;
//! assert_eq!(drawing.shape, ShapeConfig::UnitSquare);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is one registry of each kind for the whole process, since the code that reads a configuration cannot
//! be passed one.

pub mod open_enum;
mod registry;

pub use open_enum::OpenEnum;
pub use registry::{Chosen, Entry, Registry, RegistryError};
#[doc(hidden)]
pub use serde;
