//! Inserts mutants into a source text, each behind a separate switch.

use std::ops::Range;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{Mutant, Position};

/// A source text with its mutants.
pub(crate) struct Instrumented {
    pub(crate) text: String,
    /// For each mutant, the bytes of `text` that it changed, the largest first.
    places: Vec<(usize, Range<usize>)>,
    /// Mutants whose position was not found.
    pub(crate) unplaced: Vec<usize>,
}

/// An insertion around a part of the original text.
struct Wrap {
    id: usize,
    around: Range<usize>,
    before: String,
    after: &'static str,
}

/// The function that checks whether a mutant is switched on, to be added at the end of a crate's root. The
/// environment variable `TKS_MUTANT` contains its number; `trace` writes the numbers of the executed mutants
/// to the file `TKS_MUTANT_TRACE`.
pub(crate) fn switch(count: usize) -> String {
    format!(
        r#"
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub fn __mutant(id: usize) -> bool {{
    use std::sync::atomic::{{AtomicBool, AtomicUsize, Ordering::Relaxed}};
    static ACTIVE: AtomicUsize = AtomicUsize::new(usize::MAX);
    static SEEN: [AtomicBool; {count}] = [const {{ AtomicBool::new(false) }}; {count}];
    let mut active = ACTIVE.load(Relaxed);
    if active == usize::MAX {{
        let wanted = std::env::var("TKS_MUTANT").unwrap_or_default();
        active = if wanted == "trace" {{ usize::MAX - 1 }} else {{ wanted.parse().unwrap_or(usize::MAX - 2) }};
        ACTIVE.store(active, Relaxed);
    }}
    if active == usize::MAX - 1 && !SEEN[id].swap(true, Relaxed) {{
        use std::io::Write;
        if let Some(path) = std::env::var_os("TKS_MUTANT_TRACE") {{
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
            let _ = file.and_then(|mut file| file.write_all(format!("{{id}}\n").as_bytes()));
        }}
    }}
    active == id
}}
"#
    )
}

impl Instrumented {
    pub(crate) fn new<'a>(source: &str, mutants: impl Iterator<Item = (usize, &'a Mutant)>) -> Result<Self> {
        let file = syn::parse_file(source).context("cannot parse a source file")?;
        let mut wraps = Vec::new();
        let mut unplaced = Vec::new();
        for (id, mutant) in mutants {
            let start = offset(source, mutant.span.start);
            let end = offset(source, mutant.span.end);
            let mut finder = Finder { source, id, mutant, span: start..end, wrap: None };
            finder.visit_file(&file);
            match finder.wrap {
                Some(wrap) => wraps.push(wrap),
                None => unplaced.push(id),
            }
        }
        let (text, places) = apply(source, &wraps);
        Ok(Instrumented { text, places, unplaced })
    }

    /// The innermost mutant that contains a byte of the text.
    pub(crate) fn mutant_at(&self, at: usize) -> Option<usize> {
        let within = self.places.iter().filter(|(_, place)| place.contains(&at));
        within.min_by_key(|(_, place)| place.len()).map(|(id, _)| *id)
    }
}

/// The byte offset of a line and column, which count from 1.
fn offset(source: &str, position: Position) -> usize {
    let line_start: usize = source.split_inclusive('\n').take(position.line - 1).map(str::len).sum();
    let characters = source[line_start..].chars().take(position.column - 1);
    line_start + characters.map(char::len_utf8).sum::<usize>()
}

/// Applies all insertions at once: of two at the same position, the outer one begins first and ends last.
fn apply(source: &str, wraps: &[Wrap]) -> (String, Vec<(usize, Range<usize>)>) {
    let mut edits = Vec::new();
    for (order, wrap) in wraps.iter().enumerate() {
        let length = wrap.around.len() as isize;
        // Ends come before beginnings at the same position.
        edits.push((wrap.around.start, 1, (-length, order as isize), order, wrap.before.as_str()));
        // The end of an empty part would come before its beginning.
        if !wrap.around.is_empty() {
            edits.push((wrap.around.end, 0, (length, -(order as isize)), order, wrap.after));
        }
    }
    edits.sort_by_key(|&(at, kind, rank, ..)| (at, kind, rank));
    let (mut text, mut copied) = (String::new(), 0);
    let mut places: Vec<(usize, Range<usize>)> = wraps.iter().map(|wrap| (wrap.id, 0..0)).collect();
    for (at, kind, _, order, inserted) in edits {
        text.push_str(&source[copied..at]);
        copied = at;
        let start = text.len();
        text.push_str(inserted);
        let place = &mut places[order].1;
        *place = if kind == 1 { start..text.len() } else { place.start..text.len() };
    }
    text.push_str(&source[copied..]);
    (text, places)
}

/// Finds the position of one mutant.
struct Finder<'a> {
    source: &'a str,
    id: usize,
    mutant: &'a Mutant,
    span: Range<usize>,
    wrap: Option<Wrap>,
}

impl Finder<'_> {
    fn text(&self, node: &impl Spanned) -> &str {
        &self.source[node.span().byte_range()]
    }

    fn is(&self, genre: &str, range: &Range<usize>) -> bool {
        self.mutant.genre == genre && *range == self.span
    }

    /// Replaces a node by `mutated` when the mutant is on.
    fn instead(&mut self, node: &impl Spanned, mutated: &str) {
        let before = format!("(if crate::__mutant({}) {{ {mutated} }} else {{ ", self.id);
        self.wrap = Some(Wrap { id: self.id, around: node.span().byte_range(), before, after: " })" });
    }

    fn body(&mut self, block: &syn::Block) {
        let (open, close) =
            (block.brace_token.span.open().byte_range(), block.brace_token.span.close().byte_range());
        if self.mutant.genre == "FnValue" && open.end <= self.span.start && self.span.end <= close.start {
            let before =
                format!(" if crate::__mutant({}) {{ return {}; }} ", self.id, self.mutant.replacement);
            // The whole body, since type errors are reported for either return. An inner function's body is
            // found later and replaces it.
            self.wrap = Some(Wrap { id: self.id, around: open.end..close.start, before, after: "" });
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        if is_of_another_system(&node.attrs) {
            return;
        }
        self.body(&node.block);
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.body(&node.block);
        visit::visit_impl_item_fn(self, node);
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        if let Some(block) = &node.default {
            self.body(block);
        }
        visit::visit_trait_item_fn(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        if self.is("BinaryOperator", &node.op.span().byte_range()) {
            let mutated =
                format!("{} {} {}", self.text(&node.left), self.mutant.replacement, self.text(&node.right));
            self.instead(node, &mutated);
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        if self.is("UnaryOperator", &node.op.span().byte_range()) {
            let mutated = self.text(&node.expr).to_owned();
            self.instead(node, &mutated);
        }
        visit::visit_expr_unary(self, node);
    }

    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        for field in &node.fields {
            // With or without the following comma.
            let range = field.span().byte_range();
            let fits = range.start == self.span.start && range.end <= self.span.end;
            if self.mutant.genre == "StructField"
                && fits
                && let (Some(rest), syn::Member::Named(name)) = (&node.rest, &field.member)
            {
                let mutated = format!("({}).{name}", self.text(rest));
                self.instead(&field.expr, &mutated);
            }
        }
        visit::visit_expr_struct(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        if self.mutant.genre == "MatchArm" && node.span().byte_range().start == self.span.start {
            let on = format!("crate::__mutant({})", self.id);
            let (around, before, after) = match &node.guard {
                Some((_, guard)) => (guard.span().byte_range(), format!("!{on} && ("), ")"),
                None => {
                    let end = node.pat.span().byte_range().end;
                    (end..end, format!(" if !{on}"), "")
                }
            };
            self.wrap = Some(Wrap { id: self.id, around, before, after });
        }
        if let Some((_, guard)) = &node.guard
            && self.is("MatchArmGuard", &guard.span().byte_range())
        {
            let before = match self.mutant.replacement.as_str() {
                "true" => format!("crate::__mutant({}) || (", self.id),
                _ => format!("!crate::__mutant({}) && (", self.id),
            };
            self.wrap = Some(Wrap { id: self.id, around: guard.span().byte_range(), before, after: ")" });
        }
        visit::visit_arm(self, node);
    }
}

/// Whether a part is compiled for another kind of system than this one only: nothing here could judge it.
fn is_of_another_system(attributes: &[syn::Attribute]) -> bool {
    let other = if cfg!(unix) { "windows" } else { "unix" };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::Span;

    /// The text with a mutant of the `part` of `source`.
    fn with(source: &str, genre: &str, part: &str, replacement: &str) -> String {
        let start = source.find(part).unwrap();
        let position = |at: usize| {
            let line = source[..at].matches('\n').count() + 1;
            let column = source[..at].chars().rev().take_while(|&c| c != '\n').count() + 1;
            Position { line, column }
        };
        let span = Span { start: position(start), end: position(start + part.len()) };
        let (name, file) = (String::new(), "a.rs".into());
        let mutant = Mutant { name, file, genre: genre.into(), replacement: replacement.into(), span };
        let made = Instrumented::new(source, [(3, &mutant)].into_iter()).unwrap();
        assert!(made.unplaced.is_empty());
        made.text
    }

    #[test]
    fn each_genre_has_its_switch() {
        let on = "crate::__mutant(3)";
        assert_eq!(
            with("fn f(ä: u8) -> u8 { ä + 1 }", "BinaryOperator", "+", "-"),
            format!("fn f(ä: u8) -> u8 {{ (if {on} {{ ä - 1 }} else {{ ä + 1 }}) }}")
        );
        assert_eq!(
            with("fn f(a: bool) -> bool {\n    !a\n}", "UnaryOperator", "!", ""),
            format!("fn f(a: bool) -> bool {{\n    (if {on} {{ a }} else {{ !a }})\n}}")
        );
        assert_eq!(
            with("fn f() -> u8 { 5 }", "FnValue", "5", "0"),
            format!("fn f() -> u8 {{ if {on} {{ return 0; }}  5 }}")
        );
        assert_eq!(
            with("fn f(a: u8) -> u8 { match a { 1 => 2, _ => 3 } }", "MatchArm", "1 => 2,", ""),
            format!("fn f(a: u8) -> u8 {{ match a {{ 1 if !{on} => 2, _ => 3 }} }}")
        );
        assert_eq!(
            with(
                "fn f(a: u8) -> u8 { match a { x if x > 1 => 2, _ => 3 } }",
                "MatchArmGuard",
                "x > 1",
                "true"
            ),
            format!("fn f(a: u8) -> u8 {{ match a {{ x if {on} || (x > 1) => 2, _ => 3 }} }}")
        );
        assert_eq!(
            with("fn f() -> A { A { b: 1, ..A::new() } }", "StructField", "b: 1,", ""),
            format!("fn f() -> A {{ A {{ b: (if {on} {{ (A::new()).b }} else {{ 1 }}), ..A::new() }} }}")
        );
    }

    #[test]
    fn mutants_within_one_another_keep_their_order() {
        let source = "fn f(a: u8, b: u8) -> bool { a + b > 3 }";
        let position = |column| Position { line: 1, column };
        let mutant = |at: usize, replacement: &str| Mutant {
            name: String::new(),
            file: "a.rs".into(),
            genre: "BinaryOperator".into(),
            replacement: replacement.into(),
            span: Span { start: position(at), end: position(at + 1) },
        };
        let (inner, outer) = (mutant(32, "-"), mutant(36, "<"));
        let made = Instrumented::new(source, [(0, &inner), (1, &outer)].into_iter()).unwrap();
        let inner_text = "(if crate::__mutant(0) { a - b } else { a + b })";
        assert_eq!(
            made.text,
            format!(
                "fn f(a: u8, b: u8) -> bool {{ (if crate::__mutant(1) {{ a + b < 3 }} else {{ {inner_text} > 3 }}) }}"
            )
        );
        assert_eq!(made.mutant_at(made.text.find("a - b").unwrap()), Some(0));
        assert_eq!(made.mutant_at(made.text.find("a + b < 3").unwrap()), Some(1));
    }
}
