//! `cargo xtask reference`: the configuration's reference page, and the list of its keys that the program's
//! messages use, from the types and their comments.
//!
//! The sources are parsed, not compiled: each key's name, valid values, comment and default are stated there
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use quote::ToTokens;
use syn::{Attribute, Expr, Fields, Item, Type};

/// Options of `cargo xtask reference`.
#[derive(Args, Debug, Default)]
pub(crate) struct ReferenceOptions {
    /// Change nothing; fail if the page does not match the types
    #[arg(long)]
    check: bool,
}

/// The page, within the workspace.
const PAGE: &str = "docs/src/configuration.md";

/// The list of keys, within the workspace: one line per key with its kind and purpose.
const KEYS: &str = "crates/trainer/src/config/keys.tsv";

/// The type of a whole configuration, and its crate.
const ROOT: (&str, &str) = ("trainer", "Config");

const HEAD: &str = "# Configuration

Every option of `tks train`, key by key. This page is generated from the types and their comments by `cargo xtask
reference`; a test compares them.

A configuration is a TOML file. A key that is left out has its default, and an unknown key is an error that names the
nearest known one. Any key can be set on the command line: `--set training.epochs=10`. `tks presets NAME` prints a
complete configuration to start from.
";

/// Writes the page and the list, or compares them.
pub(crate) fn run(workspace: &Path, options: &ReferenceOptions) -> Result<()> {
    let sources = Sources::read(&workspace.join("crates"))?;
    for (file, text) in [(PAGE, page(&sources)?), (KEYS, sources.keys()?)] {
        let path = workspace.join(file);
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        if present == text {
            println!("{file} is what the types say");
            continue;
        }
        if options.check {
            bail!("{file} is not what the types say: `cargo xtask reference` writes it again");
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{file} is written");
    }
    Ok(())
}

/// A struct or enum, and its file.
struct Definition {
    crate_name: String,
    item: Item,
    /// The imports of its file: the local name, and its crate.
    imports: BTreeMap<String, String>,
}

/// The definitions by crate and name, and the defaults of their fields.
#[derive(Default)]
struct Sources {
    definitions: BTreeMap<(String, String), Definition>,
    defaults: BTreeMap<(String, String), BTreeMap<String, String>>,
}

fn page(sources: &Sources) -> Result<String> {
    let mut page = HEAD.to_string();
    let root = (ROOT.0.to_string(), ROOT.1.to_string());
    let mut done = BTreeSet::from([root.clone()]);
    let mut waiting = vec![(root, String::new())];
    let mut types = Vec::new();
    // Tables of the file come first, in their order; then the types that they refer to.
    while let Some((key, path)) = (!waiting.is_empty()).then(|| waiting.remove(0)) {
        let definition = sources.definitions.get(&key).with_context(|| format!("no type {key:?}"))?;
        let title = match path.as_str() {
            "" => "The file".to_string(),
            path => format!("`[{path}]`"),
        };
        let Item::Struct(_) = &definition.item else { bail!("{key:?} is no struct") };
        for field in sources.section(&mut page, &title, definition)? {
            let is_table = matches!(
                sources.definitions.get(&field.target).map(|found| &found.item),
                Some(Item::Struct(_))
            );
            if !done.insert(field.target.clone()) {
                continue;
            }
            let below = if path.is_empty() { field.name } else { format!("{path}.{}", field.name) };
            if is_table && !field.is_list {
                waiting.push((field.target, below))
            } else {
                types.push(field.target)
            }
        }
    }
    page += "\n# Values\n";
    while let Some(key) = (!types.is_empty()).then(|| types.remove(0)) {
        let definition = sources.definitions.get(&key).with_context(|| format!("no type {key:?}"))?;
        let title = match key.0.as_str() {
            "events" | "images" => format!("`{}` ({})", key.1, key.0),
            _ => format!("`{}`", key.1),
        };
        for field in sources.section(&mut page, &title, definition)? {
            if done.insert(field.target.clone()) {
                types.push(field.target);
            }
        }
    }
    Ok(page)
}

/// A field or a variant's content whose type has its own section on the page.
struct Reference {
    name: String,
    target: (String, String),
    is_list: bool,
}

impl Sources {
    fn read(crates: &Path) -> Result<Self> {
        let mut sources = Sources::default();
        let mut folders: Vec<PathBuf> = vec![crates.to_path_buf()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            let entries =
                std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    files.push(path);
                }
            }
        }
        files.sort();
        for file in files {
            let relative = file.strip_prefix(crates)?;
            let mut parts = relative.iter().map(|part| part.to_string_lossy());
            let (Some(crate_name), Some(kind)) = (parts.next(), parts.next()) else { continue };
            if kind != "src" || crate_name == "xtask" {
                continue;
            }
            let text = std::fs::read_to_string(&file)?;
            let parsed =
                syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
            sources.add_file(&crate_name, parsed);
        }
        Ok(sources)
    }

    fn add_file(&mut self, crate_name: &str, file: syn::File) {
        let mut imports = BTreeMap::new();
        for item in &file.items {
            if let Item::Use(item) = item {
                note_imports(&item.tree, None, &mut imports);
            }
        }
        for item in file.items {
            let name = match &item {
                Item::Struct(item) if is_read(&item.attrs) => item.ident.to_string(),
                Item::Enum(item) if is_read(&item.attrs) => item.ident.to_string(),
                Item::Impl(item) => {
                    self.note_defaults(crate_name, item);
                    continue;
                }
                _ => continue,
            };
            let definition = Definition { crate_name: crate_name.into(), item, imports: imports.clone() };
            self.definitions.insert((crate_name.to_string(), name), definition);
        }
    }

    fn note_defaults(&mut self, crate_name: &str, item: &syn::ItemImpl) {
        let Some((_, trait_path, _)) = &item.trait_ else { return };
        let (true, Type::Path(own)) = (trait_path.is_ident("Default"), &*item.self_ty) else { return };
        let Some(name) = own.path.get_ident() else { return };
        for member in &item.items {
            let syn::ImplItem::Fn(function) = member else { continue };
            if let Some(syn::Stmt::Expr(Expr::Struct(literal), None)) = function.block.stmts.last() {
                let fields = literal.fields.iter().filter_map(|field| {
                    let syn::Member::Named(name) = &field.member else { return None };
                    Some((name.to_string(), default_text(&field.expr)?))
                });
                self.defaults.insert((crate_name.to_string(), name.to_string()), fields.collect());
            }
        }
    }

    /// The location of the definition of `ty` in this definition's file, looking through options and lists.
    fn target(&self, ty: &Type, definition: &Definition) -> Option<((String, String), bool)> {
        let Type::Path(path) = ty else { return None };
        let last = path.path.segments.last()?;
        if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
            && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
        {
            let (target, is_list) = self.target(inner, definition)?;
            return Some((target, is_list || last.ident == "Vec"));
        }
        let name = last.ident.to_string();
        let first = path.path.segments.first()?.ident.to_string();
        let crate_name = match first.strip_prefix("tks_") {
            Some(named) => named.to_string(),
            None => definition.imports.get(&name).unwrap_or(&definition.crate_name).clone(),
        };
        let key = (crate_name, name);
        if self.definitions.contains_key(&key) {
            return Some((key, false));
        }
        // An import of something that its crate re-exports from another.
        let elsewhere = self.definitions.keys().filter(|(_, known)| *known == key.1).collect::<Vec<_>>();
        match elsewhere.as_slice() {
            [only] => Some(((*only).clone(), false)),
            _ => None,
        }
    }

    /// Every key of the configuration, in the order of the types.
    fn keys(&self) -> Result<String> {
        let root = (ROOT.0.to_string(), ROOT.1.to_string());
        let mut text = String::new();
        self.keys_of(&mut text, &self.definitions[&root], "")?;
        Ok(text)
    }

    /// The keys of a type, which is at `path`.
    fn keys_of(&self, text: &mut String, definition: &Definition, path: &str) -> Result<()> {
        match &definition.item {
            Item::Struct(item) => self.keys_of_fields(text, definition, &item.fields, path),
            Item::Enum(item) => {
                let kebab = renames(&item.attrs).is_some_and(|rule| rule == "kebab-case");
                for variant in item.variants.iter().filter(|variant| !is_skipped(variant)) {
                    let below = format!("{path}.{}", variant_name(variant, kebab));
                    let about = about(&comment(&variant.attrs));
                    match &variant.fields {
                        Fields::Unit => {}
                        Fields::Named(_) => {
                            writeln!(text, "{below}\ttable\t{about}")?;
                            self.keys_of_fields(text, definition, &variant.fields, &below)?;
                        }
                        Fields::Unnamed(fields) => {
                            let Some(field) = fields.unnamed.first() else { continue };
                            let target = self.target(&field.ty, definition);
                            let kind = plain_kind(&field.ty).unwrap_or_else(|| "table".into());
                            writeln!(text, "{below}\t{kind}\t{about}")?;
                            if let Some((target, _)) = target {
                                self.keys_of(text, &self.definitions[&target], &below)?;
                            }
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn keys_of_fields(
        &self,
        text: &mut String,
        definition: &Definition,
        fields: &Fields,
        path: &str,
    ) -> Result<()> {
        let Fields::Named(fields) = fields else { return Ok(()) };
        for field in &fields.named {
            let Some(name) = field.ident.as_ref().map(|name| name.to_string()) else { continue };
            if is_private(field, definition) {
                continue;
            }
            let key = if path.is_empty() { name } else { format!("{path}.{name}") };
            let target = self.target(&field.ty, definition);
            let found = target.as_ref().map(|(target, is_list)| (&self.definitions[target], *is_list));
            let kind = match &found {
                Some((_, true)) => "list".to_string(),
                Some((definition, false)) => match &definition.item {
                    Item::Enum(_) => "choice".into(),
                    Item::Struct(item)
                        if item.attrs.iter().any(|attribute| {
                            attribute.path().is_ident("serde")
                                && attribute.to_token_stream().to_string().contains("try_from")
                        }) =>
                    {
                        "text".into()
                    }
                    _ => "table".into(),
                },
                None => plain_kind(&field.ty).unwrap_or_else(|| "value".into()),
            };
            writeln!(text, "{key}\t{kind}\t{}", about(&comment(&field.attrs)))?;
            if let Some((definition, is_list)) = found {
                let below = if is_list { format!("{key}[]") } else { key };
                self.keys_of(text, definition, &below)?;
            }
        }
        Ok(())
    }

    /// Writes a type's section; returns the types that it refers to.
    fn section(&self, page: &mut String, title: &str, definition: &Definition) -> Result<Vec<Reference>> {
        let mut references = Vec::new();
        match &definition.item {
            Item::Struct(item) => {
                writeln!(page, "\n## {title}\n\n{}", comment(&item.attrs))?;
                let key = (definition.crate_name.clone(), item.ident.to_string());
                self.fields(page, "", &item.fields, definition, self.defaults.get(&key), &mut references)?;
            }
            Item::Enum(item) => {
                writeln!(page, "\n## {title}\n\n{}\n", comment(&item.attrs))?;
                let kebab = renames(&item.attrs).is_some_and(|rule| rule == "kebab-case");
                for variant in item.variants.iter().filter(|variant| !is_skipped(variant)) {
                    let name = variant_name(variant, kebab);
                    let is_default =
                        variant.attrs.iter().any(|attribute| attribute.path().is_ident("default"));
                    let default = if is_default { " (the default)" } else { "" };
                    writeln!(page, "- `{name}`{default}: {}", one_line(&comment(&variant.attrs)))?;
                    if let Fields::Unnamed(fields) = &variant.fields
                        && let Some(field) = fields.unnamed.first()
                        && let Some((target, is_list)) = self.target(&field.ty, definition)
                    {
                        references.push(Reference { name, target, is_list });
                    } else {
                        self.fields(page, "  ", &variant.fields, definition, None, &mut references)?;
                    }
                }
            }
            _ => {}
        }
        Ok(references)
    }

    fn fields(
        &self,
        page: &mut String,
        indent: &str,
        fields: &Fields,
        definition: &Definition,
        defaults: Option<&BTreeMap<String, String>>,
        references: &mut Vec<Reference>,
    ) -> Result<()> {
        let Fields::Named(fields) = fields else { return Ok(()) };
        if indent.is_empty() {
            writeln!(page)?;
        }
        for field in &fields.named {
            let Some(name) = field.ident.as_ref().map(|name| name.to_string()) else { continue };
            if is_private(field, definition) {
                continue;
            }
            let target = self.target(&field.ty, definition);
            let kind = match &target {
                Some(((_, name), true)) => format!(" (list of `{name}`)"),
                Some(((_, name), false)) => format!(" (`{name}`)"),
                None => plain_kind(&field.ty).map_or_else(String::new, |kind| format!(" ({kind})")),
            };
            let default = defaults.and_then(|defaults| defaults.get(&name));
            let default = default.map_or_else(String::new, |value| format!(" Default: `{value}`."));
            writeln!(page, "{indent}- `{name}`{kind}: {}{default}", one_line(&comment(&field.attrs)))?;
            if let Some((target, is_list)) = target {
                references.push(Reference { name, target, is_list });
            }
        }
        Ok(())
    }
}

/// Names that `use` imports from another crate of the workspace.
fn note_imports(tree: &syn::UseTree, crate_name: Option<&str>, imports: &mut BTreeMap<String, String>) {
    match tree {
        syn::UseTree::Path(path) => {
            let first = path.ident.to_string();
            let own =
                crate_name.map(str::to_string).or_else(|| first.strip_prefix("tks_").map(str::to_string));
            if let Some(own) = own {
                note_imports(&path.tree, Some(&own), imports);
            }
        }
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|item| note_imports(item, crate_name, imports))
        }
        syn::UseTree::Name(name) => {
            if let Some(crate_name) = crate_name {
                imports.insert(name.ident.to_string(), crate_name.to_string());
            }
        }
        _ => {}
    }
}

/// Whether the type is read from a file: it derives one of serde's traits.
fn is_read(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("derive") && attribute.to_token_stream().to_string().contains("erialize")
    })
}

/// Serde's rule for the names of variants.
fn renames(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).find_map(|attribute| {
        let text = attribute.to_token_stream().to_string();
        let rest = text.split("rename_all = \"").nth(1)?;
        Some(rest.split('"').next()?.to_string())
    })
}

/// The comment without its examples and links to types.
fn comment(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
            let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
            Some(text.value())
        });
    let mut text = String::new();
    let mut in_example = false;
    for line in lines {
        let line = line.strip_prefix(' ').unwrap_or(&line).to_string();
        if line.trim_start().starts_with("```") {
            in_example = !in_example;
        } else if !in_example {
            text += &line;
            text.push('\n');
        }
    }
    without_links(text.trim())
}

/// ``[`Type`]`` and ``[`Type`](path)`` become `` `Type` ``.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let Some(end) = rest[start..].find("`]").map(|end| start + end) else { break };
        out += &rest[..start];
        out += &rest[start + 1..=end];
        rest = &rest[end + 2..];
        if rest.starts_with("(")
            && let Some(close) = rest.find(')')
        {
            rest = &rest[close + 1..];
        }
    }
    out + rest
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The kind of a plain value.
fn plain_kind(ty: &Type) -> Option<String> {
    let text = ty.to_token_stream().to_string().replace(' ', "");
    let inner = text.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(&text);
    Some(match inner {
        "f32" | "f64" => "number".into(),
        "usize" | "u8" | "u16" | "u32" | "u64" | "i64" => "whole number".into(),
        "bool" => "true or false".into(),
        "String" => "text".into(),
        "PathBuf" => "path".into(),
        list if list.starts_with('[') || list.starts_with("Vec<") => "list".into(),
        _ => return None,
    })
}

/// A default as TOML, if it is a plain value.
fn default_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(literal) => Some(literal.to_token_stream().to_string().replace('_', "")),
        Expr::MethodCall(call) if call.method == "into" => default_text(&call.receiver),
        Expr::Unary(unary) => Some(format!("-{}", default_text(&unary.expr)?)),
        Expr::Array(array) => {
            let values = array.elems.iter().map(default_text).collect::<Option<Vec<_>>>()?;
            Some(format!("[{}]", values.join(", ")))
        }
        Expr::Path(path) if path.path.segments.len() == 2 => {
            Some(format!("\"{}\"", snake(&path.path.segments.last()?.ident.to_string(), '_')))
        }
        _ => None,
    }
}

/// Whether a field is private to its type: one that is written as text, or that does not occur in files.
fn is_private(field: &syn::Field, definition: &Definition) -> bool {
    let is_skipped = field.attrs.iter().any(|attribute| {
        attribute.path().is_ident("serde") && attribute.to_token_stream().to_string().contains("(skip)")
    });
    let is_hidden = matches!(field.vis, syn::Visibility::Inherited) || is_skipped;
    is_hidden && matches!(definition.item, Item::Struct(_))
}

/// Whether serde skips the variant: it stands for additions by a program.
fn is_skipped(variant: &syn::Variant) -> bool {
    variant.attrs.iter().any(|attribute| {
        attribute.path().is_ident("serde") && attribute.to_token_stream().to_string().contains("skip")
    })
}

/// The name of a variant in a file: by serde's rule, unless it has an explicit name.
fn variant_name(variant: &syn::Variant, kebab: bool) -> String {
    let own =
        variant.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")).find_map(|attribute| {
            let text = attribute.to_token_stream().to_string();
            Some(text.split("rename = \"").nth(1)?.split('"').next()?.to_string())
        });
    own.unwrap_or_else(|| snake(&variant.ident.to_string(), if kebab { '-' } else { '_' }))
}

/// A comment's first sentence, as part of another sentence.
fn about(comment: &str) -> String {
    let text = one_line(comment.split("\n\n").next().unwrap_or(comment));
    let sentence = text.split(". ").next().unwrap_or(&text).trim_end_matches('.');
    let mut letters = sentence.chars();
    match (letters.next(), letters.clone().next()) {
        // Neither names nor formulas.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_string(),
    }
}

/// `VggSnn` as `vgg_snn`.
fn snake(name: &str, separator: char) -> String {
    let mut text = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            text.push(separator);
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_types_say() {
        run(&crate::workspace_root(), &ReferenceOptions { check: true }).unwrap();
    }

    #[test]
    fn names_defaults_and_links_are_as_in_a_file() {
        assert_eq!(snake("VggSnn", '_'), "vgg_snn");
        assert_eq!(without_links("See [`A`] and [`B`](crate::b::B), [c]."), "See `A` and `B`, [c].");
        let text = |source: &str| default_text(&syn::parse_str(source).unwrap());
        assert_eq!(text("\"cpu\".into()").as_deref(), Some("\"cpu\""));
        assert_eq!(text("[0.9, 0.999]").as_deref(), Some("[0.9, 0.999]"));
        assert_eq!(text("Pace::PerBatch").as_deref(), Some("\"per_batch\""));
        assert_eq!(text("Vec::new()"), None);
        assert_eq!(about("Epochs in all, 1 or more. Or so.\n\nMore."), "epochs in all, 1 or more");
    }
}
