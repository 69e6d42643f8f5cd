//! Neurons with plain libtorch operations, one time step at a time: slow, available for every model, and the
//! reference for testing the fused operations.
//!
//! The equations of `tks_neuron::reference`, recorded by [`StepTape`], are run on tensors and differentiated
//! by libtorch. The surrogate is applied by the detach trick: `step(u) + (u - u.detach()) *
//! derivative(u).detach()` has the value of the step and the gradient of the surrogate.

use tch::{Kind, Tensor};
use tks_neuron::scalar::Real;
use tks_neuron::tape::{Operation, StepTape, run_derivative};
use tks_neuron::{Neuron, Surrogate};

use crate::error::AutogradError;
use crate::multi_step::{LearnedTensors, Output, State, check_learned, checked_state};

type Result<T> = std::result::Result<T, AutogradError>;

/// 1 if `u > 0` (`strict`) or `u >= 0`, else 0, with the surrogate's gradient; any shape.
///
/// # Errors
/// Errors from libtorch.
pub fn spike(u: &Tensor, surrogate: &Surrogate, strict: bool) -> Result<Tensor> {
    let fired = if strict { u.f_gt(0.0)? } else { u.f_ge(0.0)? };
    let slope = tch::no_grad(|| derivative(&u.f_detach()?, surrogate))?;
    Ok(fired.f_to_kind(u.kind())? + u.f_sub(&u.f_detach()?)?.f_mul(&slope)?)
}

/// The surrogate's derivative at each `u`; any shape.
///
/// # Errors
/// Errors from libtorch.
pub fn derivative(u: &Tensor, surrogate: &Surrogate) -> Result<Tensor> {
    let value = run_derivative(*surrogate, |operation| match operation {
        Operation::Variable(_) => Ok(Value::Tensor(u.shallow_clone())),
        other => apply(other),
    })?;
    // Constant if the derivative is.
    value.tensor_like(u)
}

/// Like [`crate::multi_step`](crate::multi_step()), for every model, with plain operations on any device.
///
/// # Errors
/// [`AutogradError`] if shapes, kinds or the neuron's parameters do not match.
pub fn multi_step(
    neuron: &Neuron,
    input: &Tensor,
    state: Option<&State>,
    learned: LearnedTensors<'_>,
) -> Result<Output> {
    neuron.check()?;
    check_learned(neuron, learned)?;
    let initial = checked_state(neuron, input, state)?;
    let steps = input.f_to_kind(Kind::Float)?.f_unbind(0)?;
    let shape = &input.size()[1..];
    let full = |value: f32| Tensor::f_full(shape, f64::from(value), (Kind::Float, input.device()));
    let mut membrane = match initial {
        Some((membrane, _)) => membrane.shallow_clone(),
        None => full(neuron.v_rest())?,
    };
    let mut auxiliary = match initial.and_then(|(_, auxiliary)| auxiliary) {
        Some(auxiliary) => auxiliary.shallow_clone(),
        None => full(0.0)?,
    };
    let mut constants = Vec::new();
    for (i, (name, initial)) in neuron.model.learned().into_iter().enumerate() {
        constants.push((name, Value::learned(learned.parameters.get(i), initial)?));
    }
    constants.push(("v_threshold", Value::learned(learned.v_threshold, neuron.v_threshold)?));
    let tape = StepTape::new(neuron);
    let mut spikes = Vec::with_capacity(steps.len());
    for x in &steps {
        let after = tape.run(|operation| match operation {
            Operation::Variable("x") => Ok(Value::Tensor(x.shallow_clone())),
            Operation::Variable("membrane") => Ok(Value::Tensor(membrane.shallow_clone())),
            Operation::Variable("auxiliary") => Ok(Value::Tensor(auxiliary.shallow_clone())),
            Operation::Variable(name) => match constants.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => Ok(value.clone()),
                None => Err(AutogradError::Invariant("a neuron's step has a variable of another name")),
            },
            other => apply(other),
        })?;
        let [spike, next_membrane, next_auxiliary] = after;
        spikes.push(spike.tensor_like(x)?);
        (membrane, auxiliary) = (next_membrane.tensor_like(x)?, next_auxiliary.tensor_like(x)?);
    }
    let spikes = if spikes.is_empty() {
        input.f_zeros_like()?
    } else {
        Tensor::f_stack(&spikes, 0)?.f_to_kind(input.kind())?
    };
    let auxiliary = neuron.model.auxiliary_state().map(|_| auxiliary);
    Ok(Output { spikes, state: State { membrane, auxiliary } })
}

/// A value in a formula.
#[derive(Debug)]
enum Value {
    Number(f32),
    Tensor(Tensor),
}

impl Clone for Value {
    /// A tensor's clone is a second handle to it.
    fn clone(&self) -> Self {
        match self {
            Value::Number(value) => Value::Number(*value),
            Value::Tensor(tensor) => Value::Tensor(tensor.shallow_clone()),
        }
    }
}

impl Value {
    fn learned(tensor: Option<&Tensor>, initial: f32) -> Result<Value> {
        match tensor {
            Some(tensor) => Ok(Value::Tensor(tensor.f_reshape([])?)),
            None => Ok(Value::Number(initial)),
        }
    }

    fn tensor_like(self, like: &Tensor) -> Result<Tensor> {
        match self {
            Value::Number(value) => Ok(like.f_full_like(f64::from(value))?),
            Value::Tensor(tensor) => Ok(tensor),
        }
    }

    /// The value as a tensor; a number becomes one that broadcasts.
    fn spread(&self, like: &Tensor) -> Result<Tensor> {
        match self {
            Value::Number(value) => {
                Ok(Tensor::f_full([0i64; 0], f64::from(*value), (like.kind(), like.device()))?)
            }
            Value::Tensor(tensor) => Ok(tensor.shallow_clone()),
        }
    }
}

/// An operation on two numbers, a tensor and a number, a number and a tensor, or two tensors.
struct Binary {
    numbers: fn(f32, f32) -> f32,
    right_number: fn(&Tensor, f64) -> std::result::Result<Tensor, tch::TchError>,
    left_number: fn(f64, &Tensor) -> std::result::Result<Tensor, tch::TchError>,
    tensors: fn(&Tensor, &Tensor) -> std::result::Result<Tensor, tch::TchError>,
}

impl Binary {
    fn apply(&self, left: &Value, right: &Value) -> Result<Value> {
        Ok(match (left, right) {
            (Value::Number(left), Value::Number(right)) => Value::Number((self.numbers)(*left, *right)),
            (Value::Tensor(left), Value::Number(right)) => {
                Value::Tensor((self.right_number)(left, f64::from(*right))?)
            }
            (Value::Number(left), Value::Tensor(right)) => {
                Value::Tensor((self.left_number)(f64::from(*left), right)?)
            }
            (Value::Tensor(left), Value::Tensor(right)) => Value::Tensor((self.tensors)(left, right)?),
        })
    }
}

const ADD: Binary = Binary {
    numbers: |a, b| a + b,
    right_number: |a, b| a.f_add_scalar(b),
    left_number: |a, b| b.f_add_scalar(a),
    tensors: Tensor::f_add,
};
const SUB: Binary = Binary {
    numbers: |a, b| a - b,
    right_number: |a, b| a.f_sub_scalar(b),
    left_number: |a, b| b.f_neg()?.f_add_scalar(a),
    tensors: Tensor::f_sub,
};
const MUL: Binary = Binary {
    numbers: |a, b| a * b,
    right_number: |a, b| a.f_mul_scalar(b),
    left_number: |a, b| b.f_mul_scalar(a),
    tensors: Tensor::f_mul,
};
const DIV: Binary = Binary {
    numbers: |a, b| a / b,
    right_number: |a, b| a.f_div_scalar(b),
    left_number: |a, b| b.f_reciprocal()?.f_mul_scalar(a),
    tensors: Tensor::f_div,
};
const POWER: Binary = Binary {
    numbers: f32::powf,
    right_number: |a, b| a.f_pow_tensor_scalar(b),
    left_number: |a, b| Tensor::f_pow_scalar(a, b),
    tensors: Tensor::f_pow,
};

/// One operation of a formula.
fn apply(operation: Operation<&Value>) -> Result<Value> {
    let unary = |a: &Value,
                 number: fn(f32) -> f32,
                 tensor: fn(&Tensor) -> std::result::Result<Tensor, tch::TchError>| {
        Ok(match a {
            Value::Number(a) => Value::Number(number(*a)),
            Value::Tensor(a) => Value::Tensor(tensor(a)?),
        })
    };
    match operation {
        Operation::Constant(value) => Ok(Value::Number(value)),
        Operation::Add(a, b) => ADD.apply(a, b),
        Operation::Sub(a, b) => SUB.apply(a, b),
        Operation::Mul(a, b) => MUL.apply(a, b),
        Operation::Div(a, b) => DIV.apply(a, b),
        Operation::Power(a, b) => POWER.apply(a, b),
        Operation::Neg(a) => unary(a, |a| -a, Tensor::f_neg),
        Operation::Abs(a) => unary(a, f32::abs, Tensor::f_abs),
        Operation::Exp(a) => unary(a, f32::exp, Tensor::f_exp),
        Operation::Relu(a) => unary(a, |a| a.max(0.0), Tensor::f_relu),
        Operation::Sigmoid(a) => unary(a, Real::sigmoid, Tensor::f_sigmoid),
        Operation::Detach(a) => unary(a, |a| a, Tensor::f_detach),
        Operation::Spike { distance: Value::Tensor(u), strict, surrogate } => {
            Ok(Value::Tensor(spike(u, &surrogate, strict)?))
        }
        Operation::Spike { distance: Value::Number(u), strict, .. } => {
            Ok(Value::Number(f32::from(if strict { *u > 0.0 } else { *u >= 0.0 })))
        }
        Operation::Replace { original, spike, value } => {
            let silent = SUB.apply(&Value::Number(1.0), spike)?;
            ADD.apply(&MUL.apply(original, &silent)?, &MUL.apply(value, spike)?)
        }
        Operation::Select { left, or_equal, right, then, otherwise } => {
            select(left, or_equal, right, then, otherwise)
        }
        _ => Err(AutogradError::Invariant("a formula has an operation that tensors do not have")),
    }
}

fn select(left: &Value, or_equal: bool, right: &Value, then: &Value, otherwise: &Value) -> Result<Value> {
    let holds = match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let holds = if or_equal { left <= right } else { left < right };
            return Ok(if holds { then.clone() } else { otherwise.clone() });
        }
        (Value::Tensor(left), right) => {
            let right = right.spread(left)?;
            if or_equal { left.f_le_tensor(&right)? } else { left.f_lt_tensor(&right)? }
        }
        (left, Value::Tensor(right)) => {
            let left = left.spread(right)?;
            if or_equal { left.f_le_tensor(right)? } else { left.f_lt_tensor(right)? }
        }
    };
    let like = match (then, otherwise, left, right) {
        (Value::Tensor(like), ..)
        | (_, Value::Tensor(like), ..)
        | (_, _, Value::Tensor(like), _)
        | (_, _, _, Value::Tensor(like)) => like,
        _ => return Err(AutogradError::Invariant("a comparison of numbers is decided above")),
    };
    Ok(Value::Tensor(then.spread(like)?.f_where_self(&holds, &otherwise.spread(like)?)?))
}
