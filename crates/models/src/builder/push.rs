//! Methods that add whole layers.

use super::{Branch, Builder, ConvPlan};
use crate::config::config_error;
use crate::error::ModelError;
use crate::layers::{
    AvgPool, Dropout, Flatten, GlobalAvgPool, Join, MaxPool, MeanOfTokens, ResidualBlock, SpikingAttention,
    SynapticLayer, ToTokens,
};
use crate::signal::{Shape, Signal};
use crate::summary::LayerKind;

impl Builder<'_> {
    /// Convolution, batch norm and neurons with the given names; with a bias if there is no batch norm, and
    /// with currents as output if there are no neurons. The number of a norm is the initial value of its
    /// weight.
    ///
    /// # Errors
    /// As [`Self::conv`], [`Self::batch_norm`] and [`Self::neurons`].
    pub fn push_conv(
        &mut self,
        name: &str,
        plan: ConvPlan,
        norm: Option<(&str, f64)>,
        neurons: Option<&str>,
    ) -> Result<(), ModelError> {
        let synapse = Some(self.conv(name, plan, norm.is_none())?);
        let norm = norm.map(|(name, weight)| self.batch_norm(name, weight)).transpose()?;
        let neurons = neurons.map(|name| self.neurons(name)).transpose()?;
        self.push(SynapticLayer { synapse, norm, neurons });
        Ok(())
    }

    /// A linear layer with a bias on a vector, followed by neurons if they are given a name.
    ///
    /// # Errors
    /// As [`Self::linear`] and [`Self::neurons`].
    pub fn push_linear(
        &mut self,
        name: &str,
        features: usize,
        neurons: Option<&str>,
    ) -> Result<(), ModelError> {
        let synapse = Some(self.linear(name, features, true)?);
        let neurons = neurons.map(|name| self.neurons(name)).transpose()?;
        self.push(SynapticLayer { synapse, norm: None, neurons });
        Ok(())
    }

    /// A linear layer for each token, batch norm and neurons.
    ///
    /// # Errors
    /// As [`Self::token_linear`], [`Self::batch_norm`] and [`Self::neurons`].
    pub fn push_token_linear(
        &mut self,
        name: &str,
        features: usize,
        norm: &str,
        neurons: &str,
    ) -> Result<(), ModelError> {
        let synapse = Some(self.token_linear(name, features, false)?);
        let norm = Some(self.batch_norm(norm, 1.0)?);
        let neurons = Some(self.neurons(neurons)?);
        self.push(SynapticLayer { synapse, norm, neurons });
        Ok(())
    }

    /// Batch norm on its own, with the given initial weight.
    ///
    /// # Errors
    /// As [`Self::batch_norm`].
    pub fn push_batch_norm(&mut self, name: &str, weight: f64) -> Result<(), ModelError> {
        let norm = Some(self.batch_norm(name, weight)?);
        self.push(SynapticLayer { norm, ..SynapticLayer::default() });
        Ok(())
    }

    /// Neurons on their own.
    ///
    /// # Errors
    /// As [`Self::neurons`].
    pub fn push_neurons(&mut self, name: &str) -> Result<(), ModelError> {
        let neurons = Some(self.neurons(name)?);
        self.push(SynapticLayer { neurons, ..SynapticLayer::default() });
        Ok(())
    }

    /// Dropout as configured, if enabled, and the classifier: a linear layer on a vector.
    ///
    /// # Errors
    /// As [`Self::linear`].
    pub fn push_classifier(&mut self, name: &str) -> Result<(), ModelError> {
        if self.config.dropout > 0.0 {
            self.push_dropout(self.config.dropout);
        }
        self.push_linear(name, self.config.classes, None)
    }

    /// Drops this share of the features in training, in `[0, 1)`.
    pub fn push_dropout(&mut self, rate: f64) {
        self.push(Dropout { rate });
    }

    fn pooled(
        &mut self,
        name: &str,
        kind: LayerKind,
        [size, stride, padding]: [usize; 3],
    ) -> Result<(), ModelError> {
        let input = self.signal;
        let [channels, height, width] = input.shape.image(name, "a pool")?;
        if size == 0 || stride == 0 {
            return Err(config_error(name, "a pool's size and step have to be 1 or above"));
        }
        let length = |length: usize| (length + 2 * padding).checked_sub(size).map(|rest| rest / stride + 1);
        let (Some(height), Some(width)) = (length(height), length(width)) else {
            let problem =
                format!("a pool of {size}x{size} does not fit what is left of the image, {height}x{width}");
            return Err(config_error(name, problem));
        };
        self.signal.shape = Shape::Image { channels, height, width };
        self.note(name, kind, input, 0, 0);
        Ok(())
    }

    /// Average pooling over square windows; `name` is for messages and the summary.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal is not an image or is smaller than the window.
    pub fn push_avg_pool(&mut self, name: &str, size: usize) -> Result<(), ModelError> {
        self.pooled(name, LayerKind::AvgPool, [size, size, 0])?;
        self.push(AvgPool { size: size as i64 });
        Ok(())
    }

    /// Max pooling over square windows, with size, stride and padding.
    ///
    /// # Errors
    /// As [`Self::push_avg_pool`].
    pub fn push_max_pool(&mut self, name: &str, sizes: [usize; 3]) -> Result<(), ModelError> {
        self.pooled(name, LayerKind::MaxPool, sizes)?;
        let [size, stride, padding] = sizes.map(|size| size as i64);
        self.push(MaxPool { size, stride, padding });
        Ok(())
    }

    /// Global average pooling: an image `[C, H, W]` to a vector `[C]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal is not an image.
    pub fn push_global_avg_pool(&mut self, name: &str) -> Result<(), ModelError> {
        let input = self.signal;
        let [channels, ..] = input.shape.image(name, "a pool")?;
        self.signal.shape = Shape::Features(channels);
        self.note(name, LayerKind::AvgPool, input, 0, 0);
        self.push(GlobalAvgPool);
        Ok(())
    }

    /// Flattens to a vector of all features; does nothing if the signal is already one.
    pub fn push_flatten(&mut self) {
        if !matches!(self.signal.shape, Shape::Features(_)) {
            self.signal.shape = Shape::Features(self.signal.shape.values());
            self.push(Flatten);
        }
    }

    /// One token per pixel, in row-major order: an image `[C, H, W]` to tokens `[H * W, C]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal is not an image; `name` is for the message.
    pub fn push_tokens(&mut self, name: &str) -> Result<(), ModelError> {
        let [channels, height, width] = self.signal.shape.image(name, "a layer that makes tokens")?;
        self.signal.shape = Shape::Tokens { tokens: height * width, features: channels };
        self.push(ToTokens);
        Ok(())
    }

    /// Mean over tokens, `[N, D]` to `[D]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal does not consist of tokens.
    pub fn push_mean_of_tokens(&mut self, name: &str) -> Result<(), ModelError> {
        let input = self.signal;
        let [_, features] = input.shape.tokens(name, "a mean of tokens")?;
        self.signal.shape = Shape::Features(features);
        self.note(name, LayerKind::AvgPool, input, 0, 0);
        self.push(MeanOfTokens);
        Ok(())
    }

    /// Spiking attention, `scale q k^T v`, with `heads` heads: tokens `[N, 3 D]`, containing queries, keys
    /// and values in this order, to `[N, D]`.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the signal does not consist of such tokens, or `D` is not divisible by the
    /// number of heads.
    pub fn push_attention(&mut self, name: &str, heads: usize, scale: f64) -> Result<(), ModelError> {
        let input = self.signal;
        let [tokens, width] = input.shape.tokens(name, "attention")?;
        let features = width / 3;
        if width % 3 != 0 || heads == 0 || features % heads != 0 {
            let problem =
                format!("{width} features do not divide into queries, keys and values of {heads} heads");
            return Err(config_error(name, problem));
        }
        self.signal.shape = Shape::Tokens { tokens, features };
        self.note(name, LayerKind::Attention, input, 0, SpikingAttention::macs(tokens, features, heads));
        self.push(SpikingAttention { name: name.to_owned(), heads: heads as i64, scale });
        Ok(())
    }

    /// A residual block with two joined branches from one input. The signal consists of spikes if both
    /// branches do, or if neurons fire after the join.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the branches have different shapes; `name` is for the message.
    pub fn push_residual(
        &mut self,
        name: &str,
        main: Branch,
        shortcut: Branch,
        join: Join,
    ) -> Result<(), ModelError> {
        let (shape, other) = (main.output.shape, shortcut.output.shape);
        if shape != other {
            let problem = format!(
                "its branches give {:?} and {:?}, which cannot be joined",
                shape.sizes(),
                other.sizes()
            );
            return Err(config_error(name, problem));
        }
        let fires = matches!(join, Join::AddAndFire(_));
        let spikes = fires || (main.output.spikes && shortcut.output.spikes);
        self.signal = Signal { shape, spikes, is_static: false };
        self.push(ResidualBlock { main: main.layers, shortcut: shortcut.layers, join });
        Ok(())
    }
}
