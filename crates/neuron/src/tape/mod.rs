//! A recorded neuron step: a number type that records the operations on it, and uses of such a record.
//!
//! The scalar reference is run once on symbols. The recorded operations are then run on other values
//! ([`StepTape::run`], such as on tensors in `tks-autograd`) or become kernel source with the reverse-mode
//! derivative (see [`crate::cuda`]). So each equation is written in one place, and no backward pass has to be
//! written by hand.

mod text;

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::neuron::Neuron;
use crate::reference::{Learned, State, step};
use crate::scalar::{Float, Real};
use crate::surrogate::{Surrogate, with_derivative};
pub(crate) use text::derivative_text;

/// An index on the current [`Tape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol(usize);

/// One operation of a formula, on arguments `A`, which are earlier values.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Operation<A> {
    /// A number in the formula.
    Constant(f32),
    /// A number given as input.
    Variable(&'static str),
    /// The sum.
    Add(A, A),
    /// The first minus the second.
    Sub(A, A),
    /// The product.
    Mul(A, A),
    /// The first divided by the second.
    Div(A, A),
    /// Negation.
    Neg(A),
    /// Magnitude.
    Abs(A),
    /// Exponential function.
    Exp(A),
    /// The first to the power of the second.
    Power(A, A),
    /// `max(A, 0)`.
    Relu(A),
    /// The logistic function, as a single operation, since the gradient of its parts is infinity times 0
    /// where `exp` overflows.
    Sigmoid(A),
    /// The same value with no gradient.
    Detach(A),
    /// 1 if `distance > 0` (`strict`) or `distance >= 0`, else 0; differentiated by the surrogate.
    Spike {
        /// The distance from the threshold.
        distance: A,
        /// Whether it must be above the threshold.
        strict: bool,
        /// The replacement for the derivative.
        surrogate: Surrogate,
    },
    /// `value` if `spike` is 1, `original` if it is 0; differentiated as `original (1 - spike) + value
    /// spike`.
    Replace {
        /// The value without a spike.
        original: A,
        /// 0 or 1.
        spike: A,
        /// The value with a spike.
        value: A,
    },
    /// `then` if `left < right` (or equal), else `otherwise`. No gradient flows through the comparison.
    Select {
        /// The left operand.
        left: A,
        /// Whether equal numbers give `then`.
        or_equal: bool,
        /// The right operand.
        right: A,
        /// The value if it holds.
        then: A,
        /// The value if it does not hold.
        otherwise: A,
    },
}

impl<A> Operation<A> {
    /// The same operation on other arguments, in order.
    pub fn map<B>(self, mut of: impl FnMut(A) -> B) -> Operation<B> {
        match self {
            Operation::Constant(value) => Operation::Constant(value),
            Operation::Variable(name) => Operation::Variable(name),
            Operation::Add(a, b) => Operation::Add(of(a), of(b)),
            Operation::Sub(a, b) => Operation::Sub(of(a), of(b)),
            Operation::Mul(a, b) => Operation::Mul(of(a), of(b)),
            Operation::Div(a, b) => Operation::Div(of(a), of(b)),
            Operation::Neg(a) => Operation::Neg(of(a)),
            Operation::Abs(a) => Operation::Abs(of(a)),
            Operation::Exp(a) => Operation::Exp(of(a)),
            Operation::Power(a, b) => Operation::Power(of(a), of(b)),
            Operation::Relu(a) => Operation::Relu(of(a)),
            Operation::Sigmoid(a) => Operation::Sigmoid(of(a)),
            Operation::Detach(a) => Operation::Detach(of(a)),
            Operation::Spike { distance, strict, surrogate } => {
                Operation::Spike { distance: of(distance), strict, surrogate }
            }
            Operation::Replace { original, spike, value } => {
                Operation::Replace { original: of(original), spike: of(spike), value: of(value) }
            }
            Operation::Select { left, or_equal, right, then, otherwise } => Operation::Select {
                left: of(left),
                or_equal,
                right: of(right),
                then: of(then),
                otherwise: of(otherwise),
            },
        }
    }
}

thread_local! {
    static TAPE: RefCell<Vec<Operation<Symbol>>> = const { RefCell::new(Vec::new()) };
}

fn push(operation: Operation<Symbol>) -> Symbol {
    TAPE.with_borrow_mut(|tape| {
        tape.push(operation);
        Symbol(tape.len() - 1)
    })
}

/// All operations on symbols in one [`Tape::record`], in order.
#[derive(Debug, Clone)]
pub(crate) struct Tape(Vec<Operation<Symbol>>);

impl Tape {
    /// Runs `formula`; its symbols refer to the returned tape.
    pub(crate) fn record<T>(formula: impl FnOnce() -> T) -> (Tape, T) {
        // An outer recording is set aside in the meantime.
        let outer = TAPE.take();
        let result = formula();
        (Tape(TAPE.replace(outer)), result)
    }

    /// Runs the formula on other values: `apply` computes each operation that `wanted` needs, in order.
    fn run<V: Clone, E, const N: usize>(
        &self,
        wanted: [Symbol; N],
        mut apply: impl FnMut(Operation<&V>) -> Result<V, E>,
    ) -> Result<[V; N], E> {
        let used = self.used(&wanted);
        let mut values: Vec<Option<V>> = Vec::with_capacity(self.0.len());
        for (operation, used) in self.0.iter().zip(used) {
            values.push(if used {
                Some(apply(operation.map(|place| value_at(&values, place)))?)
            } else {
                None
            });
        }
        Ok(wanted.map(|place| value_at(&values, place).clone()))
    }

    /// The entries that `wanted` depends on.
    fn used(&self, wanted: &[Symbol]) -> Vec<bool> {
        let mut used = vec![false; self.0.len()];
        for symbol in wanted {
            used[symbol.0] = true;
        }
        for k in (0..self.0.len()).rev() {
            if used[k] {
                self.0[k].map(|argument| used[argument.0] = true);
            }
        }
        used
    }

    /// The entries that depend on a variable through paths that carry a gradient.
    fn moving(&self) -> Vec<bool> {
        let mut moving = vec![false; self.0.len()];
        for (k, operation) in self.0.iter().enumerate() {
            moving[k] = match operation {
                Operation::Variable(_) => true,
                Operation::Detach(_) => false,
                _ => {
                    let mut any = false;
                    operation.map(|argument| any |= moving[argument.0]);
                    any
                }
            };
        }
        moving
    }
}

/// The value of an entry that [`Tape::run`] has already processed: arguments come before the operations that
/// use them.
fn value_at<V>(values: &[Option<V>], place: Symbol) -> &V {
    values[place.0].as_ref().expect("what is used is computed first")
}

/// A recording of one step of a neuron by the scalar reference: charge, fire, reset.
///
/// Its variables are `x`, `membrane`, `auxiliary`, `v_threshold` and the names of
/// [`Model::learned`](crate::Model::learned).
///
/// ```
/// use tks_neuron::Neuron;
/// use tks_neuron::tape::{Operation, StepTape};
///
/// // A LIF of single numbers: v + (x - v) / 2 = 0.75 stays below the threshold.
/// let tape = StepTape::new(&Neuron::default());
/// let [spike, membrane, _] = tape.run(|operation: Operation<&f32>| {
///     Ok::<_, String>(match operation {
///         Operation::Constant(value) => value,
///         Operation::Variable("x") => 1.5,
///         Operation::Variable("v_threshold") => 1.0,
///         Operation::Variable(_) => 0.0,
///         Operation::Add(a, b) => a + b,
///         Operation::Sub(a, b) => a - b,
///         Operation::Div(a, b) => a / b,
///         Operation::Spike { distance, .. } => f32::from(*distance >= 0.0),
///         Operation::Replace { original, spike, value } => if *spike == 1.0 { *value } else { *original },
///         other => return Err(format!("a LIF does without {other:?}")),
///     })
/// })?;
/// assert_eq!((spike, membrane), (0.0, 0.75));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct StepTape {
    tape: Tape,
    /// Spike, membrane and auxiliary state after the step.
    outputs: [Symbol; 3],
}

impl StepTape {
    /// Records the step of a neuron.
    pub fn new(neuron: &Neuron) -> Self {
        let (tape, outputs) = Tape::record(|| {
            let [x, membrane, auxiliary, v_threshold] =
                ["x", "membrane", "auxiliary", "v_threshold"].map(Symbol::variable);
            let parameters =
                neuron.model.learned().into_iter().map(|(name, _)| Symbol::variable(name)).collect();
            let mut state = State { membrane, auxiliary };
            let spike = step(neuron, &Learned { parameters, v_threshold }, x, &mut state);
            [spike, state.membrane, state.auxiliary]
        });
        StepTape { tape, outputs }
    }

    /// Runs the step on other values: `apply` computes each operation that the results need, in order.
    /// Returns the spike, the membrane potential and the auxiliary state after the step.
    ///
    /// # Errors
    /// The first error of `apply`.
    pub fn run<V: Clone, E>(&self, apply: impl FnMut(Operation<&V>) -> Result<V, E>) -> Result<[V; 3], E> {
        self.tape.run(self.outputs, apply)
    }
}

/// Runs the derivative of a surrogate on other values, like [`StepTape::run`]; its variable is `u`.
///
/// # Errors
/// The first error of `apply`.
pub fn run_derivative<V: Clone, E>(
    surrogate: Surrogate,
    apply: impl FnMut(Operation<&V>) -> Result<V, E>,
) -> Result<V, E> {
    let (tape, result) = record_derivative(surrogate);
    let [value] = tape.run([result], apply)?;
    Ok(value)
}

fn record_derivative(surrogate: Surrogate) -> (Tape, Symbol) {
    Tape::record(|| with_derivative!(surrogate, Symbol, f => f(Symbol::variable("u"))))
}

impl Symbol {
    /// A variable of the formula.
    fn variable(name: &'static str) -> Symbol {
        push(Operation::Variable(name))
    }
}

impl Add for Symbol {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        push(Operation::Add(self, other))
    }
}

impl Sub for Symbol {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        push(Operation::Sub(self, other))
    }
}

impl Mul for Symbol {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        push(Operation::Mul(self, other))
    }
}

impl Div for Symbol {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        push(Operation::Div(self, other))
    }
}

impl Neg for Symbol {
    type Output = Self;
    fn neg(self) -> Self {
        push(Operation::Neg(self))
    }
}

impl Float for Symbol {
    fn of(value: f64) -> Self {
        push(Operation::Constant(value as f32))
    }
    fn abs(self) -> Self {
        push(Operation::Abs(self))
    }
    fn exp(self) -> Self {
        push(Operation::Exp(self))
    }
    fn powf(self, exponent: Self) -> Self {
        push(Operation::Power(self, exponent))
    }
    fn if_less(self, bound: Self, then: Self, otherwise: Self) -> Self {
        push(Operation::Select { left: self, or_equal: false, right: bound, then, otherwise })
    }
    fn if_at_most(self, bound: Self, then: Self, otherwise: Self) -> Self {
        push(Operation::Select { left: self, or_equal: true, right: bound, then, otherwise })
    }
}

impl Real for Symbol {
    fn of(value: f32) -> Self {
        push(Operation::Constant(value))
    }
    fn exp(self) -> Self {
        push(Operation::Exp(self))
    }
    fn relu(self) -> Self {
        push(Operation::Relu(self))
    }
    fn sigmoid(self) -> Self {
        push(Operation::Sigmoid(self))
    }
    fn detach(self) -> Self {
        push(Operation::Detach(self))
    }
    fn spike(self, surrogate: &Surrogate, strict: bool) -> Self {
        push(Operation::Spike { distance: self, strict, surrogate: *surrogate })
    }
    fn replace(self, spike: Self, value: Self) -> Self {
        push(Operation::Replace { original: self, spike, value })
    }
}
