//! TOML parsing with errors that give the file, the line, the full key and the expected value.
//!
//! Most callers need only [`parse`]. An [`Item`] is a document that has not been read into a value yet: it
//! can be changed first (for example by command-line options), and each part of it still knows its position
//! in the source.
//!
//! If a choice has settings, its name alone selects their defaults: `model = "plif"` is `model = { plif = {}
//! }`.

mod fault;
mod item;
mod parser;
mod path;
mod reader;

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::DataError;
use crate::regular_file;

pub use fault::{Fault, Problem};
pub use item::{Entry, Item, Node};
pub use parser::MAX_DEPTH;
pub use path::Place;

/// Reads a value from the TOML file at `path`.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::NotAFile`] if it cannot be read, else as [`parse`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let text = regular_file::read_to_string(path)?;
    parse(&text, path)
}

/// Reads a value from `text`; `origin` is the file's name in error messages.
///
/// # Errors
/// [`DataError::Toml`] with line, column and key, and, for an unknown key or name, the closest known one.
pub fn parse<T: DeserializeOwned>(text: &str, origin: &Path) -> Result<T, DataError> {
    Item::parse(text, 0).and_then(|item| item.read()).map_err(|fault| DataError::Toml {
        path: origin.to_path_buf(),
        line: fault.place().line,
        column: fault.place().column,
        message: fault.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        batch_size: usize,
        offset: i64,
        share: f32,
        name: String,
        on: bool,
        byte: u8,
        pair: [f64; 2],
        list: Vec<u32>,
        choice: Option<Choice>,
        parts: BTreeMap<String, Vec<String>>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Choice {
        Plain,
        Set {
            #[serde(default)]
            tau: f64,
        },
        Needs {
            bins: usize,
        },
        Number(usize),
    }

    fn refusal(text: &str) -> String {
        parse::<Example>(text, Path::new("a.toml")).expect_err(text).to_string()
    }

    fn choice(text: &str) -> Option<Choice> {
        parse::<Example>(text, Path::new("a.toml")).expect(text).choice
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        assert_eq!(
            refusal("on = true\n  batchsize = 2\n"),
            "a.toml:2:3: unknown key `batchsize`; did you mean `batch_size`?"
        );
        let far = refusal("zzz = 1\n");
        assert!(
            far.starts_with("a.toml:1:1: unknown key `zzz`; known here: `batch_size`, `offset`"),
            "{far}"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_named_with_its_key_its_line_and_what_it_should_be() {
        let cases = [
            ("batch_size = \"two\"", "1:14: `batch_size` is \"two\": it should be a whole number, 0 or more"),
            ("batch_size = -3", "1:14: `batch_size` is -3: it should be a whole number, 0 or more"),
            ("batch_size = 1e12", "1:14: `batch_size` is 1e12: it should be a whole number, 0 or more"),
            ("offset = 0.5", "1:10: `offset` is 0.5: it should be a whole number"),
            ("share = [1]", "1:9: `share` is [1]: it should be a number"),
            ("share = 1e60", "1:9: `share` is 1e60: it should be a number of 3.40e38 at most"),
            ("name = 3", "1:8: `name` is 3: it should be text in quotes"),
            ("on = 1", "1:6: `on` is 1: it should be true or false"),
            ("byte = 256", "1:8: `byte` is 256: it should be a whole number, 0 to 255"),
            ("pair = [1.0]", "1:8: `pair` is [1.0]: it should be a list of 2 values"),
            ("pair = [1.0, true]", "1:14: `pair[1]` is true: it should be a number"),
            ("list = 4", "1:8: `list` is 4: it should be a list"),
            (
                "list = [1, 2, {}]",
                "1:15: `list[2]` is an empty table: it should be a whole number, 0 to 4294967295",
            ),
            ("parts = 1", "1:9: `parts` is 1: it should be a table"),
            ("parts.a = [1]", "1:12: `parts.a[0]` is 1: it should be text in quotes"),
            (
                "choice = 1",
                "1:10: `choice` is 1: it should be one of \"plain\", \"set\", \"needs\", \"number\"",
            ),
            ("choice = 1979-05-27", "1:10: `choice` is 1979-05-27: it should be one of"),
            ("choice = \"sett\"", "did you mean `set`?"),
            ("[choice]\n[choice.sett]", "did you mean `set`?"),
            ("choice.set.tua = 1", "1:12: unknown key `choice.set.tua`; did you mean `tau`?"),
            ("choice.plain.a = 1", "unknown key `choice.plain.a`; nothing can be set here"),
            ("choice = { plain = {}, set = {} }", "both `plain` and `set` are given"),
            ("choice = \"needs\"", "`bins` is missing in `choice.needs`"),
            ("choice = \"number\"", "`choice.number` needs a value: a whole number, 0 or more"),
            ("batch_size = ", "1:14: "),
        ];
        for (text, expected) in cases {
            let said = refusal(text);
            assert!(said.starts_with("a.toml:") && said.contains(expected), "{text}: {said}");
        }
    }

    /// Serde reads the fields of such a type through its own buffers.
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Buffered {
        #[serde(flatten)]
        fields: Fields,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Fields {
        batch_size: usize,
        offset: i64,
        share: f32,
        name: String,
        on: bool,
        pair: [f64; 2],
        tuple: (f64, f64),
        list: Vec<u32>,
        choice: Option<Choice>,
        parts: BTreeMap<String, u8>,
        part: Part,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Part {
        tau: f64,
    }

    #[test]
    fn a_value_that_serde_buffers_is_told_in_words_of_toml_too() {
        let read = |text: &str| parse::<Buffered>(text, Path::new("a.toml"));
        assert_eq!(read("pair = [1.0, 2.0]\ntuple = [3.0, 4.0]").unwrap().fields.tuple, (3.0, 4.0));
        let cases = [
            ("batch_size = \"two\"", "a whole number, 0 or more"),
            ("offset = \"two\"", "a whole number"),
            ("share = \"two\"", "a number"),
            ("name = 3", "text in quotes"),
            ("on = 1", "true or false"),
            ("pair = 1", "a list"),
            ("tuple = 1", "a list"),
            ("list = 4", "a list"),
            ("choice = 1", "text in quotes"),
            ("parts = 1", "a table"),
            ("part = 1", "a table"),
        ];
        for (text, expected) in cases {
            let said = read(text).expect_err(text).to_string();
            assert!(said.ends_with(&format!("it should be {expected}")), "{text}: {said}");
        }
    }

    #[test]
    fn the_name_of_a_choice_alone_takes_its_defaults() {
        assert_eq!(choice("choice = \"plain\""), Some(Choice::Plain));
        assert_eq!(choice("choice = { plain = {} }"), Some(Choice::Plain));
        assert_eq!(choice("choice = \"set\""), Some(Choice::Set { tau: 0.0 }));
        assert_eq!(choice("choice.set.tau = 2"), Some(Choice::Set { tau: 2.0 }));
        assert_eq!(choice("choice = { needs = { bins = 4 } }"), Some(Choice::Needs { bins: 4 }));
        assert_eq!(choice("choice = { number = 3 }"), Some(Choice::Number(3)));
        assert_eq!(choice(""), None);
    }

    #[test]
    fn what_lies_too_deep_is_refused_whatever_way_it_is_written() {
        let dotted = format!("{}b = 1", "a.".repeat(20_000));
        let lists = format!("a = {}{}", "[".repeat(20_000), "]".repeat(20_000));
        let tables = format!("a = {}1{}", "{ a = ".repeat(20_000), " }".repeat(20_000));
        let mixed = format!("a = {}1{}", "{ a.b.c.d.e.f.g.h = [".repeat(40), "] }".repeat(40));
        for text in [dotted, lists, tables, mixed] {
            let said = refusal(&text);
            assert!(said.contains("more than 32 deep"), "{said}");
        }
    }

    #[test]
    fn a_part_of_a_document_is_found_by_its_path() {
        let item = Item::parse("[a]\nlist = [{ b = 1 }, { b = 2 }]\n", 3).unwrap();
        let found = item.nearest("a.list[1].b");
        assert_eq!(found.node, Node::Whole(2));
        assert_eq!(found.place, Place { source: 3, line: 2, column: 26 });
        assert_eq!(item.nearest("a.list[1].b.c.d"), found);
        assert_eq!(item.nearest("a.nothing.b"), item.get("a").unwrap());
    }

    #[test]
    fn the_latest_text_that_had_a_part_in_a_value_is_told() {
        let mut item = Item::parse("\na = { list = [1, 2], b = 3 }\n", 1).unwrap();
        let own = Place { source: 1, line: 2, column: 5 };
        assert_eq!(item.nearest("a").newest(), own);
        let Node::Table(entries) = &mut item.node else { panic!("{item:?}") };
        let Node::Table(entries) = &mut entries[0].item.node else { panic!("a table") };
        let list = entries.iter_mut().find(|entry| entry.key == "list").unwrap();
        let Node::List(values) = &mut list.item.node else { panic!("a list") };
        values[0] = Item::parse_value("7", 2).unwrap();
        assert_eq!(item.nearest("a").newest(), Place { source: 2, line: 1, column: 1 });
        assert_eq!(item.nearest("a.b").newest().source, 1);
    }
}
