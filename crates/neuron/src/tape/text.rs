//! C source of a formula and its reverse-mode derivative.

use std::fmt::Write;

use super::{Operation, StepTape, Symbol, Tape, record_derivative};
use crate::surrogate::Surrogate;

impl StepTape {
    /// Statements that compute the step, with each entry `k` in a constant `v<k>`, and the names of the
    /// constants for spike, membrane potential and auxiliary state.
    pub(crate) fn forward_text(&self) -> (String, [String; 3]) {
        (self.tape.forward_text(&self.outputs), self.outputs.map(name))
    }

    /// Statements, to follow [`Self::forward_text`], that propagate the gradients of its results (each given
    /// as an expression) backwards, with the gradient of variable `x` in a constant `grad_<x>`, for every
    /// name in `variables`.
    pub(crate) fn backward_text(&self, gradients: [&str; 3], variables: &[&'static str]) -> String {
        let outputs = [0, 1, 2].map(|i| (self.outputs[i], gradients[i]));
        self.tape.backward_text(&outputs, variables)
    }
}

impl Tape {
    fn forward_text(&self, wanted: &[Symbol]) -> String {
        let used = self.used(wanted);
        let mut text = String::new();
        for (k, operation) in self.0.iter().enumerate().filter(|(k, _)| used[*k]) {
            let value = match operation.map(name) {
                Operation::Constant(value) => literal(value),
                Operation::Variable(name) => name.to_owned(),
                Operation::Add(a, b) => format!("{a} + {b}"),
                Operation::Sub(a, b) => format!("{a} - {b}"),
                Operation::Mul(a, b) => format!("{a} * {b}"),
                Operation::Div(a, b) => format!("{a} / {b}"),
                Operation::Neg(a) => format!("-{a}"),
                Operation::Abs(a) => format!("fabsf({a})"),
                Operation::Exp(a) => format!("expf({a})"),
                Operation::Power(a, b) => format!("powf({a}, {b})"),
                Operation::Relu(a) => format!("{a} > 0.0f ? {a} : 0.0f"),
                Operation::Sigmoid(a) => format!("1.0f / (1.0f + expf(-{a}))"),
                Operation::Detach(a) => a,
                Operation::Spike { distance, strict, .. } => {
                    let sign = if strict { ">" } else { ">=" };
                    format!("{distance} {sign} 0.0f ? 1.0f : 0.0f")
                }
                Operation::Replace { original, spike, value } => {
                    format!("{spike} != 0.0f ? {value} : {original}")
                }
                Operation::Select { left, or_equal, right, then, otherwise } => {
                    let sign = if or_equal { "<=" } else { "<" };
                    format!("{left} {sign} {right} ? {then} : {otherwise}")
                }
            };
            line(&mut text, format_args!("    const float {} = {value};", name(Symbol(k))));
        }
        text
    }

    /// Every name in `variables` gets a gradient, which is zero if nothing depends on it.
    fn backward_text(&self, outputs: &[(Symbol, &str)], variables: &[&'static str]) -> String {
        let wanted: Vec<Symbol> = outputs.iter().map(|(output, _)| *output).collect();
        let used = self.used(&wanted);
        let moving = self.moving();
        // The contributions to each entry's gradient, in order.
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
                Operation::Sigmoid(a) => flow(a, format!("{g} * ({v} * (1.0f - {v}))")),
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
}

/// The function in the kernel source that [`derivative_text`] defines.
const DERIVATIVE: &str = "surrogate_derivative";

/// The C function `float surrogate_derivative(float u)`, with `qualifier` before it.
pub(crate) fn derivative_text(surrogate: Surrogate, qualifier: &str) -> String {
    let (tape, result) = record_derivative(surrogate);
    let statements = tape.forward_text(&[result]);
    format!("{qualifier} float {DERIVATIVE}(float u) {{\n{statements}    return {};\n}}\n", name(result))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// The name of the constant that holds an entry's value.
fn name(symbol: Symbol) -> String {
    format!("v{}", symbol.0)
}

/// The shortest decimal text that parses to exactly this number.
fn literal(value: f32) -> String {
    format!("{value:e}f")
}
