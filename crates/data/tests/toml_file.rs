//! TOML documents: positions, ranges of numbers, displayed values, and the exact text of errors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tks_data::toml_file::{Fault, Item, MAX_DEPTH, Node, Place, Problem, parse};

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(default, deny_unknown_fields)]
struct Kinds {
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    f32: f32,
    f64: f64,
    letter: char,
    text: String,
    flag: bool,
    nothing: (),
    maybe: Option<u8>,
    pair: (u8, String),
    one: [u8; 1],
    list: Vec<u8>,
    map: BTreeMap<String, u8>,
    new: New,
    unit: Unit,
    tuple: Tuple,
    part: Part,
    choice: Option<Choice>,
}

#[derive(Debug, Deserialize, PartialEq, Default)]
struct New(u8);

#[derive(Debug, Deserialize, PartialEq, Default)]
struct Unit;

#[derive(Debug, Deserialize, PartialEq, Default)]
struct Tuple(u8, u8);

#[derive(Debug, Deserialize, PartialEq, Default)]
#[serde(deny_unknown_fields)]
struct Part {
    tau: f64,
    #[serde(default)]
    bins: u8,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Plain,
    Pair(u8, u8),
    Set { tau: f64 },
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    parse(text, Path::new("a.toml")).map_err(|error| error.to_string())
}

fn kinds(text: &str) -> Kinds {
    read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    read::<Kinds>(text).expect_err(text)
}

#[test]
fn whole_numbers_are_taken_up_to_the_bounds_of_their_type() {
    let bounds: [(&str, i64, i64); 8] = [
        ("i8", -128, 127),
        ("i16", -32768, 32767),
        ("i32", -2_147_483_648, 2_147_483_647),
        ("i64", i64::MIN, i64::MAX),
        ("u8", 0, 255),
        ("u16", 0, 65535),
        ("u32", 0, 4_294_967_295),
        ("u64", 0, i64::MAX),
    ];
    for (name, least, most) in bounds {
        let said = match (least, most) {
            (i64::MIN, _) => "a whole number".to_string(),
            (0, i64::MAX) => "a whole number, 0 or more".to_string(),
            _ => format!("a whole number, {least} to {most}"),
        };
        let column = name.len() + 4;
        for value in [least, most] {
            let found = kinds(&format!("{name} = {value}"));
            let values = [
                i128::from(found.i8),
                found.i16.into(),
                found.i32.into(),
                found.i64.into(),
                found.u8.into(),
                found.u16.into(),
                found.u32.into(),
                found.u64.into(),
            ];
            assert_eq!(values.iter().sum::<i128>(), i128::from(value), "{name}");
        }
        for value in [i128::from(least) - 1, i128::from(most) + 1] {
            let expected = format!("a.toml:1:{column}: `{name}` is {value}: it should be {said}");
            assert_eq!(refusal(&format!("{name} = {value}")), expected);
        }
        assert_eq!(
            refusal(&format!("{name} = 1.5")),
            format!("a.toml:1:{column}: `{name}` is 1.5: it should be {said}")
        );
    }
    assert_eq!(kinds("u8 = 0x1f").u8, 31);
}

#[test]
fn values_of_every_kind_are_read() {
    let found = kinds(
        "f32 = 1\nf64 = -2.5e300\nletter = \"ä\"\ntext = \"t\"\nflag = true\nnothing = {}\nmaybe = 3\n\
         pair = [1, \"b\"]\none = [7]\nlist = [1, 2]\nmap = { a = 1, b = 2 }\nnew = 5\nunit = {}\ntuple = [3, 4]\n\
         part = { tau = 0.5 }\nchoice = { pair = [1, 2] }\n",
    );
    let expected = Kinds {
        f32: 1.0,
        f64: -2.5e300,
        letter: 'ä',
        text: "t".into(),
        flag: true,
        maybe: Some(3),
        pair: (1, "b".into()),
        one: [7],
        list: vec![1, 2],
        map: [("a".to_string(), 1), ("b".to_string(), 2)].into(),
        new: New(5),
        tuple: Tuple(3, 4),
        part: Part { tau: 0.5, bins: 0 },
        choice: Some(Choice::Pair(1, 2)),
        ..Kinds::default()
    };
    assert_eq!(found, expected);
    assert_eq!(kinds("choice = { set = { tau = 1.5 } }").choice, Some(Choice::Set { tau: 1.5 }));
    assert_eq!(kinds("choice = \"plain\"").choice, Some(Choice::Plain));
    assert!(kinds("f32 = inf").f32.is_infinite() && kinds("f64 = nan").f64.is_nan());
    assert_eq!(kinds("f32 = 3.4e38").f32, 3.4e38);
    assert_eq!(kinds("f32 = -3.4e38").f32, -3.4e38);
    // Serde skips keys that a type does not name.
    assert_eq!(read::<Tuple2>("a = 1\nrest = { b = [1, { c = 2 }] }").unwrap().a, 1);
}

#[derive(Debug, Deserialize)]
struct Tuple2 {
    a: u8,
}

#[test]
fn what_is_wrong_is_told_to_the_letter() {
    let long = format!("flag = \"{}\"", "ä".repeat(61));
    let fits = format!("flag = \"{}\"", "ä".repeat(60));
    let cases = [
        ("f32 = 3.5e38", "1:7: `f32` is 3.5e38: it should be a number of 3.40e38 at most".to_string()),
        ("f32 = -3.5e38", "1:7: `f32` is -3.5e38: it should be a number of 3.40e38 at most".into()),
        ("f64 = true", "1:7: `f64` is true: it should be a number".into()),
        ("letter = 1", "1:10: `letter` is 1: it should be text in quotes".into()),
        ("text = 1.50", "1:8: `text` is 1.50: it should be text in quotes".into()),
        ("text = 1979-05-27", "1:8: `text` is 1979-05-27: it should be text in quotes".into()),
        ("flag = \"a\\\"b\"", "1:8: `flag` is \"a\\\"b\": it should be true or false".into()),
        (&long, format!("1:8: `flag` is \"{}...\": it should be true or false", "ä".repeat(60))),
        (&fits, format!("1:8: `flag` is \"{}\": it should be true or false", "ä".repeat(60))),
        ("flag = []", "1:8: `flag` is an empty list: it should be true or false".into()),
        ("flag = [1, \"a\", true, 2.0]", "1:8: `flag` is [1, \"a\", true, 2.0]: it should be true or false".into()),
        ("flag = [1, 2, 3, 4, 5]", "1:8: `flag` is a list of 5 values: it should be true or false".into()),
        ("flag = {}", "1:8: `flag` is an empty table: it should be true or false".into()),
        (
            "flag = { a = 1, b = 2, c = 3, d = 4 }",
            "1:8: `flag` is a table with `a`, `b`, `c`, `d`: it should be true or false".into(),
        ),
        (
            "flag = { a = 1, b = 2, c = 3, d = 4, e = 5 }",
            "1:8: `flag` is a table with `a`, `b`, `c`, `d`, ...: it should be true or false".into(),
        ),
        ("nothing = 1", "1:11: `nothing` is 1: it should be an empty table".into()),
        ("unit = { a = 1 }", "1:8: `unit` is a table with `a`: it should be an empty table".into()),
        ("maybe = 256", "1:9: `maybe` is 256: it should be a whole number, 0 to 255".into()),
        ("pair = [1]", "1:8: `pair` is [1]: it should be a list of 2 values".into()),
        ("one = [1, 2]", "1:7: `one` is [1, 2]: it should be a list of 1 value".into()),
        ("list = 3", "1:8: `list` is 3: it should be a list".into()),
        ("list = [1, -1]", "1:12: `list[1]` is -1: it should be a whole number, 0 to 255".into()),
        ("map = 3", "1:7: `map` is 3: it should be a table".into()),
        ("new = 300", "1:7: `new` is 300: it should be a whole number, 0 to 255".into()),
        ("tuple = 3", "1:9: `tuple` is 3: it should be a list of 2 values".into()),
        ("part = 3", "1:8: `part` is 3: it should be a table, with the keys `tau`, `bins`".into()),
        ("part = {}", "1:8: `tau` is missing in `part`".into()),
        ("part = { tau = 1, bin = 2 }", "1:19: unknown key `part.bin`; did you mean `bins`?".into()),
        ("choice = {}", "1:10: `choice` is an empty table: it should be one of \"plain\", \"pair\", \"set\"".into()),
        ("choice = 7", "1:10: `choice` is 7: it should be one of \"plain\", \"pair\", \"set\"".into()),
        (
            "choice = \"plan\"",
            "1:10: `choice` is \"plan\": it should be one of \"plain\", \"pair\", \"set\"; did you mean `plain`?".into(),
        ),
        ("choice = \"zzzz\"", "1:10: `choice` is \"zzzz\": it should be one of \"plain\", \"pair\", \"set\"".into()),
        ("choice = { plain = {}, pair = {} }", "1:10: `choice`: both `pair` and `plain` are given; it takes one".into()),
        (
            "choice = { plain = 1 }",
            "1:20: `choice.plain` is 1: it should be an empty table, since this choice has nothing to set".into(),
        ),
        ("choice = { plain = { a = 1 } }", "1:22: unknown key `choice.plain.a`; nothing can be set here".into()),
        ("choice = { pair = [1] }", "1:19: `choice.pair` is [1]: it should be a list of 2 values".into()),
        ("choice = \"pair\"", "1:10: `choice.pair` needs a value: a list of 2 values".into()),
        ("choice = \"set\"", "1:10: `tau` is missing in `choice.set`".into()),
        ("text = \"a\"\n\n  flag = 1", "3:10: `flag` is 1: it should be true or false".into()),
        ("\"ä\" = 1", "1:1: unknown key `ä`; known here: `i8`, `i16`, `i32`, `i64`, `u8`".into()),
    ];
    for (text, expected) in cases {
        let found = refusal(text);
        let end =
            if expected.starts_with("1:1: unknown key `ä`") { expected.len() + 7 } else { found.len() };
        assert_eq!(&found[..end], format!("a.toml:{expected}"), "{text}");
    }
    assert_eq!(read::<Part>("").unwrap_err(), "a.toml:1:1: `tau` is missing");
}

/// The text of serde's own errors.
fn said(make: fn() -> Fault) -> String {
    make().to_string()
}

#[test]
fn what_serde_expects_is_told_in_words_of_toml() {
    use serde::de::{Error, Unexpected};
    let cases: [(&'static str, &str); 27] = [
        ("usize", "a whole number, 0 or more"),
        ("u8", "a whole number, 0 or more"),
        ("i64", "a whole number"),
        ("isize", "a whole number"),
        ("f32", "a number"),
        ("f64", "a number"),
        ("a boolean", "true or false"),
        ("a string", "text in quotes"),
        ("a character", "text in quotes"),
        ("path string", "text in quotes"),
        ("a sequence", "a list"),
        ("a map", "a table"),
        ("unit", "a table"),
        ("struct Toy", "a table"),
        ("struct variant Toy::A", "a table"),
        ("internally tagged enum Toy", "a table"),
        ("tuple struct Toy", "a list"),
        ("a tuple of size 2", "a list"),
        ("an array of length 2", "a list"),
        ("enum Toy", "one of its names in quotes, or a table of that name"),
        ("variant identifier", "one of its names in quotes, or a table of that name"),
        ("structure", "structure"),
        ("an array", "an array"),
        ("enumeration", "enumeration"),
        ("a tuple", "a tuple"),
        ("something else", "something else"),
        ("internally", "internally"),
    ];
    for (expected, told) in cases {
        for fault in [
            Fault::invalid_type(Unexpected::Unit, &expected),
            Fault::invalid_value(Unexpected::Unit, &expected),
            Fault::invalid_length(3, &expected),
        ] {
            let wrong = Problem::Wrong { value: String::new(), expected: told.to_string() };
            assert_eq!(fault.problem(), &wrong, "{expected}");
            assert_eq!((fault.key(), fault.place()), ("", Place { source: 0, line: 1, column: 1 }));
        }
    }
    assert_eq!(said(|| Fault::custom("so it is")), "so it is");
    assert_eq!(said(|| Fault::duplicate_field("a")), "`a` is given twice");
    assert_eq!(said(|| Fault::missing_field("a")), "`a` is missing");
    assert_eq!(
        said(|| Fault::unknown_field("a", &["bcd", "cde"])),
        "unknown key this; known here: `bcd`, `cde`"
    );
    assert_eq!(
        said(|| Fault::unknown_variant("a", &["bcd", "cde"])),
        "this is \"a\": it should be one of \"bcd\", \"cde\""
    );
}

/// A number that its type refuses.
#[derive(Debug)]
struct Even(u8);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error, Unexpected};
        let number = u8::deserialize(deserializer)?;
        match number {
            1 => Err(D::Error::custom("it is odd")),
            _ if number % 2 == 1 => {
                Err(D::Error::invalid_value(Unexpected::Unsigned(number.into()), &"an even number"))
            }
            _ => Ok(Even(number)),
        }
    }
}

#[test]
fn what_a_type_refuses_itself_is_told_with_its_key_and_place() {
    #[derive(Debug, Deserialize)]
    struct Numbers {
        list: Vec<Even>,
        map: BTreeMap<String, Even>,
    }
    let numbers: Numbers = read("list = [2, 4]\nmap = { a = 6 }").unwrap();
    assert_eq!((numbers.list[1].0, numbers.map["a"].0), (4, 6));
    let refused = |text: &str| read::<Numbers>(text).unwrap_err();
    assert_eq!(refused("list = [2, 1]\nmap = {}"), "a.toml:1:12: `list[1]`: it is odd");
    assert_eq!(
        refused("list = [2, 3]\nmap = {}"),
        "a.toml:1:12: `list[1]` is 3: it should be an even number"
    );
    assert_eq!(refused("list = []\nmap.a = 5"), "a.toml:2:9: `map.a` is 5: it should be an even number");
}

#[test]
fn a_document_knows_where_its_parts_are() {
    let text = "# ä\n\"ä\" = 1\n\n[b]\n  c = [1, \"ü\", { d = 1.5, e = true }]\n[[f]]\ng = 1979-05-27\n";
    let item = Item::parse(text, 4).unwrap();
    let place = |line, column| Place { source: 4, line, column };
    assert_eq!(item.place, place(1, 1));
    let keys: Vec<(&str, Place)> =
        item.entries().unwrap().iter().map(|e| (e.key.as_str(), e.place)).collect();
    assert!(keys.contains(&("ä", place(2, 1))) && keys.contains(&("b", place(4, 2))), "{keys:?}");
    let at = |path: &str| (item.nearest(path).node.clone(), item.nearest(path).place);
    assert_eq!(at("ä"), (Node::Whole(1), place(2, 7)));
    assert_eq!(at("b.c[1]"), (Node::Text("ü".into()), place(5, 11)));
    assert_eq!(at("b.c[2].d"), (Node::Number(1.5, "1.5".into()), place(5, 22)));
    assert_eq!(at("b.c[2].e"), (Node::Flag(true), place(5, 31)));
    assert_eq!(at("f[0].g"), (Node::Date("1979-05-27".into()), place(7, 5)));
    assert_eq!(item.nearest("b.c[3]"), item.nearest("b.c"), "beyond the list's end");
    assert!(item.get("c").is_none() && item.nearest("ä").entries().is_none());
    assert_eq!(item.newest(), place(1, 1));
    assert_eq!(Item::parse_value("[1, 2]", 7).unwrap().place, Place { source: 7, line: 1, column: 1 });
    assert!(Item::parse_value("[1, ", 7).is_err());
    assert_eq!(
        Item::parse("a = 99999999999999999999", 0).unwrap().nearest("a").node,
        Node::Number(1e20, "99999999999999999999".into())
    );
}

#[test]
fn depth_is_taken_up_to_its_bound() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Item::parse_value(&lists(MAX_DEPTH), 0).is_ok());
    let said = Item::parse_value(&lists(MAX_DEPTH + 1), 2).unwrap_err();
    assert_eq!(said.to_string(), "tables and lists lie more than 32 deep within one another");
    assert_eq!(said.place(), Place { source: 2, line: 1, column: MAX_DEPTH + 1 });
    let tables = |depth: usize| format!("{}1{}", "{ a = ".repeat(depth), " }".repeat(depth));
    assert!(
        Item::parse_value(&tables(MAX_DEPTH), 0).is_ok()
            && Item::parse_value(&tables(MAX_DEPTH + 1), 0).is_err()
    );
    let keys = |depth: usize| format!("{}b = 1", "a.".repeat(depth));
    assert!(Item::parse(&keys(MAX_DEPTH), 0).is_ok() && Item::parse(&keys(MAX_DEPTH + 1), 0).is_err());
    let said = Item::parse("a = 1\nb = ?", 0).unwrap_err();
    assert!(matches!(said.problem(), Problem::Syntax(message) if !message.contains('\n')), "{said}");
    assert_eq!((said.place().line, said.place().column), (2, 5));
}
