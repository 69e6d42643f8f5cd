//! Python literals, as far as they occur in the header of an `.npy`.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Whole(u64),
    Bool(bool),
    /// A list or a tuple.
    Items(Vec<Literal>),
    /// A dictionary.
    Pairs(Vec<(Literal, Literal)>),
}

/// Maximum nesting depth of values: a header has at most five levels.
const MAX_DEPTH: usize = 16;

impl Literal {
    pub(super) fn parse(text: &str) -> Option<Literal> {
        let mut rest = text;
        let value = parse(&mut rest, 0)?;
        rest.trim_start_matches(is_space).trim_matches('\0').is_empty().then_some(value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Literal::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Literal]> {
        match self {
            Literal::Items(items) => Some(items),
            _ => None,
        }
    }

    /// The sizes of a shape.
    pub(super) fn sizes(&self) -> Option<Vec<usize>> {
        let size = |item: &Literal| match item {
            Literal::Whole(size) => usize::try_from(*size).ok(),
            _ => None,
        };
        self.items()?.iter().map(size).collect()
    }

    /// The value of a dictionary's key.
    pub(super) fn get(&self, key: &str) -> Option<&Literal> {
        match self {
            Literal::Pairs(pairs) => {
                pairs.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

fn parse(rest: &mut &str, depth: usize) -> Option<Literal> {
    if depth > MAX_DEPTH {
        return None;
    }
    *rest = rest.trim_start_matches(is_space);
    let start = rest.chars().next()?;
    match start {
        '(' | '[' => {
            *rest = &rest[1..];
            let end = if start == '(' { ')' } else { ']' };
            let mut items = Vec::new();
            while !ends(rest, end) {
                items.push(parse(rest, depth + 1)?);
                comma(rest, end)?;
            }
            Some(Literal::Items(items))
        }
        '{' => {
            *rest = &rest[1..];
            let mut pairs = Vec::new();
            while !ends(rest, '}') {
                let key = parse(rest, depth + 1)?;
                *rest = rest.trim_start_matches(is_space).strip_prefix(':')?;
                pairs.push((key, parse(rest, depth + 1)?));
                comma(rest, '}')?;
            }
            Some(Literal::Pairs(pairs))
        }
        '\'' | '"' => {
            let (text, after) = rest[1..].split_once(start)?;
            *rest = after;
            Some(Literal::Text(text.to_owned()))
        }
        '0'..='9' => {
            let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
            let whole = rest[..end].parse().ok()?;
            // Python 2 wrote `10L`.
            *rest = rest[end..].trim_start_matches('L');
            Some(Literal::Whole(whole))
        }
        _ => {
            for (word, value) in [("True", true), ("False", false)] {
                if let Some(after) = rest.strip_prefix(word) {
                    *rest = after;
                    return Some(Literal::Bool(value));
                }
            }
            None
        }
    }
}

/// Whether the next character is `end`, which is then skipped.
fn ends(rest: &mut &str, end: char) -> bool {
    match rest.trim_start_matches(is_space).strip_prefix(end) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

/// Skips the comma after an item, which is optional after the last one.
fn comma(rest: &mut &str, end: char) -> Option<()> {
    *rest = rest.trim_start_matches(is_space);
    if let Some(after) = rest.strip_prefix(',') {
        *rest = after;
        return Some(());
    }
    rest.starts_with(end).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let header = Literal::parse(
            "{'descr': [('x', '<u2'), ('', '|V2'), (\"t\", '<i8', (1,))], 'fortran_order': False, 'shape': (50L,), }  \n",
        )
        .unwrap();
        assert_eq!(header.get("fortran_order"), Some(&Literal::Bool(false)));
        assert_eq!(header.get("shape").and_then(Literal::sizes), Some(vec![50]));
        let fields = header.get("descr").and_then(Literal::items).unwrap();
        assert_eq!(fields[2].items().unwrap()[0].text(), Some("t"));
        assert_eq!(Literal::parse("()"), Some(Literal::Items(Vec::new())));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "(", "(1", "(1 2)", "{'a'}", "'a", "None", "1 2", "{'a' 1}", "99999999999999999999"]
        {
            assert_eq!(Literal::parse(text), None, "{text}");
        }
        assert_eq!(Literal::parse(&"(".repeat(100_000)), None);
    }
}
