//! Formulas written down: a number type that records what is computed with it, and its reverse-mode
//! derivative, as C text.
//!
//! The scalar reference is run once on symbols; what it does becomes a kernel's text (see [`crate::cuda`]).
//! So an equation stands in one place, and its backward pass is nobody's to write or to get wrong.

use std::cell::RefCell;
use std::fmt::Write;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::scalar::{Float, Real};
use crate::surrogate::{Surrogate, with_derivative};

/// A place on the current [`Tape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol(usize);

/// What a place holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Constant(f32),
    /// A variable of the text that the formula is put into.
    Variable(&'static str),
    Add(Symbol, Symbol),
    Sub(Symbol, Symbol),
    Mul(Symbol, Symbol),
    Div(Symbol, Symbol),
    Neg(Symbol),
    Abs(Symbol),
    Exp(Symbol),
    Power(Symbol, Symbol),
    Relu(Symbol),
    Detach(Symbol),
    Spike {
        distance: Symbol,
        strict: bool,
        surrogate: Surrogate,
    },
    Replace {
        original: Symbol,
        spike: Symbol,
        value: Symbol,
    },
    Select {
        left: Symbol,
        or_equal: bool,
        right: Symbol,
        then: Symbol,
        otherwise: Symbol,
    },
}

thread_local! {
    static TAPE: RefCell<Vec<Operation>> = const { RefCell::new(Vec::new()) };
}

fn push(operation: Operation) -> Symbol {
    TAPE.with_borrow_mut(|tape| {
        tape.push(operation);
        Symbol(tape.len() - 1)
    })
}

/// All that was computed with symbols in one [`Tape::record`], in order.
#[derive(Debug)]
pub(crate) struct Tape(Vec<Operation>);

impl Tape {
    /// Runs `formula`; its symbols have their meaning on the returned tape.
    pub(crate) fn record<T>(formula: impl FnOnce() -> T) -> (Tape, T) {
        // What an outer recording holds is put aside meanwhile.
        let outer = TAPE.take();
        let result = formula();
        (Tape(TAPE.replace(outer)), result)
    }

    /// Statements that compute `wanted`, each place `k` in a constant `v<k>`.
    pub(crate) fn forward_text(&self, wanted: &[Symbol]) -> String {
        let used = self.used(wanted);
        let mut text = String::new();
        for (k, operation) in self.0.iter().enumerate().filter(|(k, _)| used[*k]) {
            let value = match *operation {
                Operation::Constant(value) => literal(value),
                Operation::Variable(name) => name.to_owned(),
                Operation::Add(a, b) => format!("{} + {}", name(a), name(b)),
                Operation::Sub(a, b) => format!("{} - {}", name(a), name(b)),
                Operation::Mul(a, b) => format!("{} * {}", name(a), name(b)),
                Operation::Div(a, b) => format!("{} / {}", name(a), name(b)),
                Operation::Neg(a) => format!("-{}", name(a)),
                Operation::Abs(a) => format!("fabsf({})", name(a)),
                Operation::Exp(a) => format!("expf({})", name(a)),
                Operation::Power(a, b) => format!("powf({}, {})", name(a), name(b)),
                Operation::Relu(a) => format!("{0} > 0.0f ? {0} : 0.0f", name(a)),
                Operation::Detach(a) => name(a),
                Operation::Spike { distance, strict, .. } => {
                    let sign = if strict { ">" } else { ">=" };
                    format!("{} {sign} 0.0f ? 1.0f : 0.0f", name(distance))
                }
                Operation::Replace { original, spike, value } => {
                    format!("{} != 0.0f ? {} : {}", name(spike), name(value), name(original))
                }
                Operation::Select { left, or_equal, right, then, otherwise } => {
                    let sign = if or_equal { "<=" } else { "<" };
                    format!("{} {sign} {} ? {} : {}", name(left), name(right), name(then), name(otherwise))
                }
            };
            line(&mut text, format_args!("    const float {} = {value};", name(Symbol(k))));
        }
        text
    }

    /// Statements, to stand after [`Self::forward_text`] of `outputs`, that carry the gradients of `outputs`
    /// (each named by an expression) back: the gradient of variable `x` in a constant `grad_<x>`.
    ///
    /// Every name of `variables` gets one, zero where nothing depends on it.
    pub(crate) fn backward_text(&self, outputs: &[(Symbol, &str)], variables: &[&'static str]) -> String {
        let wanted: Vec<Symbol> = outputs.iter().map(|(output, _)| *output).collect();
        let used = self.used(&wanted);
        let moving = self.moving();
        // What flows into each place's gradient, in the order in which it comes.
        let mut flows: Vec<Vec<String>> = vec![Vec::new(); self.0.len()];
        for (output, gradient) in outputs {
            flows[output.0].push((*gradient).to_owned());
        }
        let mut of_variables: Vec<Vec<String>> = vec![Vec::new(); variables.len()];
        let mut text = String::new();
        for (k, operation) in self.0.iter().enumerate().rev() {
            if !used[k] || !moving[k] || flows[k].is_empty() {
                continue;
            }
            let g = format!("g{k}");
            line(&mut text, format_args!("    const float {g} = {};", flows[k].join(" + ")));
            let mut flow = |to: Symbol, gradient: String| {
                if moving[to.0] {
                    flows[to.0].push(gradient);
                }
            };
            let v = name(Symbol(k));
            match *operation {
                Operation::Constant(_) | Operation::Detach(_) => {}
                Operation::Variable(variable) => {
                    if let Some(place) = variables.iter().position(|known| *known == variable) {
                        of_variables[place].push(g);
                    }
                }
                Operation::Add(a, b) => {
                    flow(a, g.clone());
                    flow(b, g);
                }
                Operation::Sub(a, b) => {
                    flow(a, g.clone());
                    flow(b, format!("(-{g})"));
                }
                Operation::Mul(a, b) => {
                    flow(a, format!("{g} * {}", name(b)));
                    flow(b, format!("{g} * {}", name(a)));
                }
                Operation::Div(a, b) => {
                    flow(a, format!("{g} / {}", name(b)));
                    flow(b, format!("(-{g} * {v} / {})", name(b)));
                }
                Operation::Neg(a) => flow(a, format!("(-{g})")),
                Operation::Abs(a) => flow(a, format!("copysignf({g}, {g} * {})", name(a))),
                Operation::Exp(a) => flow(a, format!("{g} * {v}")),
                Operation::Power(a, b) => {
                    flow(a, format!("{g} * {1} * powf({0}, {1} - 1.0f)", name(a), name(b)));
                    flow(b, format!("{g} * {v} * logf({})", name(a)));
                }
                Operation::Relu(a) => flow(a, format!("({} > 0.0f ? {g} : 0.0f)", name(a))),
                Operation::Spike { distance, surrogate, .. } => {
                    flow(distance, format!("{g} * {}({})", DERIVATIVE, name(distance)));
                    debug_assert_eq!(Some(surrogate), self.surrogate());
                }
                Operation::Replace { original, spike, value } => {
                    let fired = format!("{} != 0.0f", name(spike));
                    flow(original, format!("({fired} ? 0.0f : {g})"));
                    flow(value, format!("({fired} ? {g} : 0.0f)"));
                    flow(spike, format!("{g} * ({} - {})", name(value), name(original)));
                }
                Operation::Select { left, or_equal, right, then, otherwise } => {
                    let sign = if or_equal { "<=" } else { "<" };
                    let condition = format!("{} {sign} {}", name(left), name(right));
                    flow(then, format!("({condition} ? {g} : 0.0f)"));
                    flow(otherwise, format!("({condition} ? 0.0f : {g})"));
                }
            }
        }
        for (variable, flows) in variables.iter().zip(&of_variables) {
            let sum = if flows.is_empty() { "0.0f".to_owned() } else { flows.join(" + ") };
            line(&mut text, format_args!("    const float grad_{variable} = {sum};"));
        }
        text
    }

    /// The surrogate of the tape's spikes; a neuron has one.
    fn surrogate(&self) -> Option<Surrogate> {
        self.0.iter().find_map(|operation| match operation {
            Operation::Spike { surrogate, .. } => Some(*surrogate),
            _ => None,
        })
    }

    /// Which places `wanted` is computed from.
    fn used(&self, wanted: &[Symbol]) -> Vec<bool> {
        let mut used = vec![false; self.0.len()];
        for symbol in wanted {
            used[symbol.0] = true;
        }
        for k in (0..self.0.len()).rev().filter(|_| !self.0.is_empty()) {
            if used[k] {
                for argument in arguments(&self.0[k]) {
                    used[argument.0] = true;
                }
            }
        }
        used
    }

    /// Which places change with a variable, gradients being let through.
    fn moving(&self) -> Vec<bool> {
        let mut moving = vec![false; self.0.len()];
        for (k, operation) in self.0.iter().enumerate() {
            moving[k] = match operation {
                Operation::Variable(_) => true,
                Operation::Detach(_) => false,
                _ => arguments(operation).any(|argument| moving[argument.0]),
            };
        }
        moving
    }
}

/// The function of a kernel's text that [`derivative_text`] defines.
const DERIVATIVE: &str = "surrogate_derivative";

/// The C function `float surrogate_derivative(float u)`, with `qualifier` before it.
pub(crate) fn derivative_text(surrogate: Surrogate, qualifier: &str) -> String {
    let (tape, result) = Tape::record(|| with_derivative!(surrogate, Symbol, f => f(Symbol::variable("u"))));
    let statements = tape.forward_text(&[result]);
    format!("{qualifier} float {DERIVATIVE}(float u) {{\n{statements}    return {};\n}}\n", name(result))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{arguments}");
}

/// The constant that holds a place's value in [`Tape::forward_text`].
pub(crate) fn name(symbol: Symbol) -> String {
    format!("v{}", symbol.0)
}

/// The shortest decimal text that reads back as this very number.
fn literal(value: f32) -> String {
    format!("{value:e}f")
}

fn arguments(operation: &Operation) -> impl Iterator<Item = Symbol> + use<> {
    let all = match *operation {
        Operation::Constant(_) | Operation::Variable(_) => [None; 4],
        Operation::Add(a, b)
        | Operation::Sub(a, b)
        | Operation::Mul(a, b)
        | Operation::Div(a, b)
        | Operation::Power(a, b) => [Some(a), Some(b), None, None],
        Operation::Neg(a)
        | Operation::Abs(a)
        | Operation::Exp(a)
        | Operation::Relu(a)
        | Operation::Detach(a)
        | Operation::Spike { distance: a, .. } => [Some(a), None, None, None],
        Operation::Replace { original, spike, value } => [Some(original), Some(spike), Some(value), None],
        Operation::Select { left, right, then, otherwise, .. } => {
            [Some(left), Some(right), Some(then), Some(otherwise)]
        }
    };
    all.into_iter().flatten()
}

impl Symbol {
    /// A variable of the text around.
    pub(crate) fn variable(name: &'static str) -> Symbol {
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
