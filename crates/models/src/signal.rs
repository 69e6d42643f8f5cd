//! The signals between layers.

use crate::config::config_error;
use crate::error::ModelError;

/// The shape of one sample of a signal at one step. In tensors, `[T, B]` precedes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// `[C, H, W]`: channels, each a plane.
    Image {
        /// `C`
        channels: usize,
        /// `H`
        height: usize,
        /// `W`
        width: usize,
    },
    /// `[F]`: a vector.
    Features(usize),
    /// `[N, D]`: a sequence of vectors, as in a transformer.
    Tokens {
        /// `N`
        tokens: usize,
        /// `D`
        features: usize,
    },
}

impl Shape {
    /// The sizes in the order of a tensor's dimensions.
    ///
    /// ```
    /// use tks_models::Shape;
    ///
    /// assert_eq!(Shape::Tokens { tokens: 64, features: 384 }.sizes(), [64, 384]);
    /// ```
    pub fn sizes(self) -> Vec<usize> {
        match self {
            Shape::Image { channels, height, width } => vec![channels, height, width],
            Shape::Features(features) => vec![features],
            Shape::Tokens { tokens, features } => vec![tokens, features],
        }
    }

    /// Number of values.
    pub fn values(self) -> usize {
        self.sizes().iter().product()
    }

    /// The number of channels that batch norm scales and shifts: `C`, `F` or `D`.
    pub fn channels(self) -> usize {
        match self {
            Shape::Image { channels, .. } => channels,
            Shape::Features(features) | Shape::Tokens { features, .. } => features,
        }
    }

    /// `[C, H, W]`, for a layer that needs an image.
    ///
    /// # Errors
    /// [`ModelError::Config`] for any other shape: `what` (such as "a pool") of the layer `name` needs an image.
    pub fn image(self, name: &str, what: &str) -> Result<[usize; 3], ModelError> {
        match self {
            Shape::Image { channels, height, width } => Ok([channels, height, width]),
            other => {
                let problem =
                    format!("{what} needs an image, but the layer before gives {}", other.in_words());
                Err(config_error(name, problem))
            }
        }
    }

    /// `[N, D]`, for a layer that needs tokens.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn tokens(self, name: &str, what: &str) -> Result<[usize; 2], ModelError> {
        match self {
            Shape::Tokens { tokens, features } => Ok([tokens, features]),
            other => {
                let problem = format!("{what} needs tokens, but the layer before gives {}", other.in_words());
                Err(config_error(name, problem))
            }
        }
    }

    fn in_words(self) -> String {
        match self {
            Shape::Image { channels, height, width } => format!("an image, {channels}x{height}x{width}"),
            Shape::Features(features) => format!("a vector of {features}"),
            Shape::Tokens { tokens, features } => format!("{tokens} tokens of {features}"),
        }
    }
}

/// The signal between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// The shape of one sample at one step.
    pub shape: Shape,
    /// Whether it consists of spikes, or of sums or means of spikes.
    pub spikes: bool,
    /// Whether it is the same at every step if the network's input is, and so is computed once.
    pub is_static: bool,
}
