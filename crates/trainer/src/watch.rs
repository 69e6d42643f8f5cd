//! Detection of layers that do not work: silent ones transmit nothing, saturated ones the same at every step.

use tks_models::LayerRates;

/// A layer with a smaller share of firing neurons counts as silent.
pub(crate) const SILENT: f64 = 1e-4;

/// A layer with a larger share of firing neurons counts as saturated.
const SATURATED: f64 = 0.98;

/// Counts, for each layer, the consecutive watched batches in which it was silent or saturated.
#[derive(Debug, Default)]
pub(crate) struct LayerWatch {
    warn_after: usize,
    layers: Vec<(String, State)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    silent: usize,
    saturated: usize,
    warned: bool,
}

impl LayerWatch {
    /// Warns after `warn_after` consecutive watched batches; 0: never.
    pub(crate) fn new(warn_after: usize) -> Self {
        LayerWatch { warn_after, layers: Vec::new() }
    }

    /// Adds the rates of a batch and returns the resulting warnings. Each layer is reported once, until it
    /// works again.
    pub(crate) fn see(&mut self, rates: &[LayerRates]) -> Vec<String> {
        let mut warnings = Vec::new();
        for layer in rates {
            let index = self.layers.iter().position(|(name, _)| *name == layer.name).unwrap_or_else(|| {
                self.layers.push((layer.name.clone(), State::default()));
                self.layers.len() - 1
            });
            let state = &mut self.layers[index].1;
            let rate = layer.mean();
            state.silent = if rate < SILENT { state.silent + 1 } else { 0 };
            state.saturated = if rate > SATURATED { state.saturated + 1 } else { 0 };
            let worst = state.silent.max(state.saturated);
            if worst == 0 {
                state.warned = false;
            } else if worst >= self.warn_after && self.warn_after > 0 && !state.warned {
                state.warned = true;
                let (what, remedy) = if state.silent > 0 {
                    (
                        "hardly fired",
                        "a lower `network.neuron.v_threshold` or a smaller learning rate may help",
                    )
                } else {
                    ("fired at nearly every step", "a higher `network.neuron.v_threshold` may help")
                };
                warnings.push(format!(
                    "the neurons of `{}` {what} in {worst} watched batches in a row; {remedy}",
                    layer.name
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(first: f64, second: f64) -> Vec<LayerRates> {
        [("a", first), ("b", second)]
            .map(|(name, rate)| LayerRates { name: name.into(), rates: vec![rate, rate], finite: true })
            .into()
    }

    #[test]
    fn silence_and_saturation_are_named_once() {
        let mut watch = LayerWatch::new(2);
        assert!(watch.see(&rates(0.0, 0.2)).is_empty());
        let warnings = watch.see(&rates(0.0, 0.2));
        assert!(warnings.len() == 1 && warnings[0].contains("`a` hardly fired in 2"), "{warnings:?}");
        assert!(watch.see(&rates(0.0, 1.0)).is_empty(), "named already");
        let warnings = watch.see(&rates(0.1, 1.0));
        assert!(
            warnings.len() == 1 && warnings[0].contains("`b` fired at nearly every step"),
            "{warnings:?}"
        );
        assert!(watch.see(&rates(0.0, 0.2)).is_empty());
        assert_eq!(watch.see(&rates(0.0, 0.2)).len(), 1, "silent again, named again");
        let mut never = LayerWatch::new(0);
        assert!((0..9).all(|_| never.see(&rates(0.0, 0.0)).is_empty()));
    }
}
