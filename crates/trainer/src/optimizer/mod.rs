//! The optimisers, with their state by parameter name, so that it can be saved and restored.

mod lamb;
mod lion;

use anyhow::{Context, Result, ensure};
use tch::{Kind, Tensor};
use tks_autograd::optimizer::{AdamW, Sgd, adamw, sgd};

use crate::config::{OptimizerConfig, OptimizerName};

/// An optimiser over named parameters.
///
/// Parameters of at least two dimensions have weight decay; biases, batch norms and learned neuron constants
/// only if configured.
#[derive(Debug)]
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    groups: [Group; 2],
    steps: u64,
}

/// Parameters with the same weight decay.
#[derive(Debug)]
struct Group {
    weight_decay: f64,
    names: Vec<String>,
    parameters: Vec<Tensor>,
    /// The moments that the optimiser keeps for each parameter, in the order of [`state_names`].
    state: Vec<Vec<Tensor>>,
    /// Step counts of each parameter, for libtorch's fused kernel.
    counts: Vec<Tensor>,
}

/// The names of the moments that an optimiser keeps for each parameter.
fn state_names(config: &OptimizerConfig) -> &'static [&'static str] {
    match config.name {
        OptimizerName::Adamw | OptimizerName::Lamb => &["first_moment", "second_moment"],
        OptimizerName::Sgd if config.momentum == 0.0 => &[],
        OptimizerName::Sgd | OptimizerName::Lion => &["momentum"],
    }
}

impl Optimizer {
    /// An optimiser of the named `parameters`; those that do not require a gradient are skipped.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub(crate) fn new(config: &OptimizerConfig, parameters: &[(String, Tensor)]) -> Result<Self> {
        let trained = parameters.iter().filter(|(_, parameter)| parameter.requires_grad());
        let (decayed, spared): (Vec<_>, Vec<_>) =
            trained.partition(|(_, parameter)| config.decay_norm_and_bias || parameter.dim() >= 2);
        let group = |weight_decay, members: Vec<&(String, Tensor)>| -> Result<Group> {
            let parameters: Vec<_> = members.iter().map(|(_, parameter)| parameter.shallow_clone()).collect();
            let zeros = || parameters.iter().map(|parameter| Ok(parameter.f_detach()?.f_zeros_like()?));
            let kinds = state_names(config).len();
            Ok(Group {
                weight_decay,
                names: members.iter().map(|(name, _)| name.clone()).collect(),
                state: (0..kinds).map(|_| zeros().collect()).collect::<Result<_>>()?,
                counts: counts(&parameters, 0)?,
                parameters,
            })
        };
        Ok(Optimizer {
            config: config.clone(),
            groups: [group(config.weight_decay, decayed)?, group(0.0, spared)?],
            steps: 0,
        })
    }

    /// The trained parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        self.groups.iter().flat_map(|group| &group.parameters)
    }

    /// Number of steps made.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Makes one step with learning rate `lr`, using the parameters' current gradients. A missing gradient
    /// counts as zero.
    ///
    /// # Errors
    /// Errors from libtorch.
    pub(crate) fn step(&mut self, lr: f64) -> Result<()> {
        let OptimizerConfig { betas, eps, momentum, nesterov, .. } = self.config;
        let is_first = self.steps == 0;
        for group in &mut self.groups {
            if group.parameters.is_empty() {
                continue;
            }
            let gradients = gradients(&group.parameters)?;
            let (parameters, weight_decay) = (&group.parameters, group.weight_decay);
            match (self.config.name, group.state.as_slice()) {
                (OptimizerName::Adamw, [first, second]) => {
                    let settings = AdamW { lr, betas, weight_decay, eps };
                    adamw(parameters, &gradients, first, second, &group.counts, &settings)?;
                }
                (OptimizerName::Sgd, momenta) => {
                    let settings = Sgd { lr, momentum, weight_decay, nesterov };
                    let momenta = momenta.first().map_or(&[][..], Vec::as_slice);
                    sgd(parameters, &gradients, momenta, &settings, is_first)?;
                }
                (OptimizerName::Lamb, [first, second]) => {
                    let settings = AdamW { lr, betas, weight_decay, eps };
                    lamb::step(parameters, &gradients, first, second, self.steps + 1, &settings)?;
                }
                (OptimizerName::Lion, [momenta]) => {
                    lion::step(parameters, &gradients, momenta, lr, betas, weight_decay)?;
                }
                _ => unreachable!("the state was made for this optimiser"),
            }
        }
        self.steps += 1;
        Ok(())
    }

    /// The state to be saved: tensors named `<parameter>.<moment>`.
    pub(crate) fn state(&self) -> Vec<(String, Tensor)> {
        let kinds = state_names(&self.config);
        let of_group = |group: &Group| -> Vec<(String, Tensor)> {
            let of_kind = |(kind, tensors): (&&str, &Vec<Tensor>)| -> Vec<(String, Tensor)> {
                let named = group.names.iter().zip(tensors);
                named.map(|(name, tensor)| (format!("{name}.{kind}"), tensor.shallow_clone())).collect()
            };
            kinds.iter().zip(&group.state).flat_map(of_kind).collect()
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    /// Restores the result of [`Optimizer::state`] after `steps` steps; `find` returns a saved tensor by
    /// name.
    ///
    /// # Errors
    /// A tensor that is missing or has a different shape.
    pub(crate) fn restore(&mut self, steps: u64, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        let kinds = state_names(&self.config);
        for group in &mut self.groups {
            for (kind, tensors) in kinds.iter().zip(&mut group.state) {
                for (name, tensor) in group.names.iter().zip(tensors) {
                    let name = format!("{name}.{kind}");
                    let saved = find(&name)?;
                    ensure!(
                        saved.size() == tensor.size(),
                        "the optimiser's `{name}` has the shape {:?}, the network's parameter {:?}",
                        saved.size(),
                        tensor.size()
                    );
                    tensor.f_copy_(&saved).with_context(|| format!("the optimiser's `{name}`"))?;
                }
            }
            group.counts = counts(&group.parameters, steps)?;
        }
        self.steps = steps;
        Ok(())
    }
}

fn counts(parameters: &[Tensor], steps: u64) -> Result<Vec<Tensor>> {
    let count = |parameter: &Tensor| Ok(Tensor::f_full([], steps as f64, (Kind::Float, parameter.device()))?);
    parameters.iter().map(count).collect()
}

/// The gradients, with zeros for missing ones.
fn gradients(parameters: &[Tensor]) -> Result<Vec<Tensor>> {
    let of = |parameter: &Tensor| -> Result<Tensor> {
        let gradient = parameter.f_grad()?;
        if gradient.defined() { Ok(gradient) } else { Ok(parameter.f_detach()?.f_zeros_like()?) }
    };
    parameters.iter().map(of).collect()
}

/// The norm of all gradients together.
///
/// # Errors
/// Errors from libtorch.
pub(crate) fn gradient_norm<'a>(parameters: impl Iterator<Item = &'a Tensor>) -> Result<f64> {
    let mut norms = Vec::new();
    for parameter in parameters {
        let gradient = parameter.f_grad()?;
        if gradient.defined() {
            norms.push(gradient.f_norm()?);
        }
    }
    if norms.is_empty() {
        return Ok(0.0);
    }
    Ok(Tensor::f_stack(&norms, 0)?.f_norm()?.f_double_value(&[])?)
}

/// Multiplies all gradients by `factor`.
///
/// # Errors
/// Errors from libtorch.
pub(crate) fn scale_gradients<'a>(parameters: impl Iterator<Item = &'a Tensor>, factor: f64) -> Result<()> {
    for parameter in parameters {
        let mut gradient = parameter.f_grad()?;
        if gradient.defined() {
            let _scaled = gradient.f_mul_scalar_(factor)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Vec<(String, Tensor)> {
        let table = Tensor::from_slice(&[0.5f32, -1.0, 2.0, 0.25]).view([2, 2]).set_requires_grad(true);
        let bias = Tensor::from_slice(&[1.0f32, -2.0]).set_requires_grad(true);
        let fixed = Tensor::from_slice(&[7.0f32]);
        vec![("fc.weight".into(), table), ("fc.bias".into(), bias), ("bn.running_mean".into(), fixed)]
    }

    fn config(name: OptimizerName) -> OptimizerConfig {
        OptimizerConfig { name, lr_batch: 0, weight_decay: 0.1, ..OptimizerConfig::default() }
    }

    /// A loss that draws every parameter to zero, with gradients of both signs.
    fn backward(parameters: &[(String, Tensor)]) {
        for (_, parameter) in parameters.iter().filter(|(_, parameter)| parameter.requires_grad()) {
            tks_autograd::clear_grad(parameter).unwrap();
            (parameter * parameter * 0.5).sum(Kind::Float).backward();
        }
    }

    fn values(parameters: &[(String, Tensor)]) -> Vec<f32> {
        parameters
            .iter()
            .flat_map(|(_, tensor)| Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap())
            .collect()
    }

    const ALL: [OptimizerName; 4] =
        [OptimizerName::Adamw, OptimizerName::Sgd, OptimizerName::Lamb, OptimizerName::Lion];

    #[test]
    fn each_goes_down_and_leaves_what_is_not_trained() {
        for name in ALL {
            let parameters = parameters();
            let mut optimizer = Optimizer::new(&config(name), &parameters).unwrap();
            let before = values(&parameters);
            for _ in 0..20 {
                backward(&parameters);
                optimizer.step(0.02).unwrap();
            }
            let after = values(&parameters);
            for (before, after) in before.iter().zip(&after).take(6) {
                assert!(after.abs() < before.abs(), "{name:?}: {before} to {after}");
            }
            assert_eq!(after[6], 7.0);
            assert_eq!(optimizer.steps(), 20);
        }
    }

    #[test]
    fn state_that_is_put_back_goes_on_to_the_bit() {
        for name in ALL {
            let parameters = parameters();
            let mut optimizer = Optimizer::new(&config(name), &parameters).unwrap();
            let step = |optimizer: &mut Optimizer| {
                backward(&parameters);
                optimizer.step(0.05).unwrap();
            };
            (0..3).for_each(|_| step(&mut optimizer));
            let kept: Vec<_> = parameters.iter().map(|(_, tensor)| tensor.detach().copy()).collect();
            let state: Vec<_> =
                optimizer.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
            (0..3).for_each(|_| step(&mut optimizer));
            let expected = values(&parameters);

            for ((_, parameter), kept) in parameters.iter().zip(&kept) {
                tch::no_grad(|| parameter.shallow_clone().copy_(kept));
            }
            let mut again = Optimizer::new(&config(name), &parameters).unwrap();
            let find = |name: &str| {
                let found = state.iter().find(|(known, _)| known == name);
                Ok(found.context("not there")?.1.shallow_clone())
            };
            again.restore(3, find).unwrap();
            (0..3).for_each(|_| step(&mut again));
            assert_eq!(values(&parameters), expected, "{name:?}");
        }
    }

    #[test]
    fn biases_are_decayed_only_on_request() {
        for (spared, decay_norm_and_bias) in [(true, false), (false, true)] {
            let parameters = parameters();
            let config = OptimizerConfig { decay_norm_and_bias, ..config(OptimizerName::Adamw) };
            let mut optimizer = Optimizer::new(&config, &parameters).unwrap();
            // Without gradients, only weight decay changes parameters.
            optimizer.step(0.1).unwrap();
            let after = values(&parameters);
            assert!(after[0] < 0.5, "the weight is decayed");
            assert_eq!(after[4] == 1.0, spared, "the bias");
        }
    }

    #[test]
    fn gradients_are_measured_and_scaled() {
        let parameters = parameters();
        backward(&parameters);
        let all = || parameters.iter().map(|(_, tensor)| tensor);
        let expected =
            values(&parameters)[..6].iter().map(|value| f64::from(value * value)).sum::<f64>().sqrt();
        assert!((gradient_norm(all()).unwrap() - expected).abs() < 1e-6);
        scale_gradients(all(), 0.5).unwrap();
        assert!((gradient_norm(all()).unwrap() - expected / 2.0).abs() < 1e-6);
    }
}
