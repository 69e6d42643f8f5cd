//! Reading TOML so that an error names the file, the line, and the name that was probably meant.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::DataError;
use crate::nearest::nearest;
use crate::regular_file;

/// The value that the TOML file at `path` holds.
///
/// # Errors
/// [`DataError::Io`] and [`DataError::NotAFile`] if it cannot be read, else as [`parse`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let text = regular_file::read_to_string(path)?;
    parse(&text, path)
}

/// The value that `text` holds; `origin` is what errors call the file.
///
/// # Errors
/// [`DataError::Toml`] with line and column, and for an unknown key or variant the known name nearest to it.
pub fn parse<T: DeserializeOwned>(text: &str, origin: &Path) -> Result<T, DataError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        DataError::Toml {
            path: origin.to_path_buf(),
            line,
            column,
            message: with_suggestion(error.message().trim()),
        }
    })
}

/// Serde says "unknown field `x`, expected one of `a`, `b`": adds which of them is the nearest.
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown")
        && let Some(unknown) = quoted.next()
        && let Some(meant) = nearest(unknown, quoted)
    {
        return format!("{message}; did you mean `{meant}`?");
    }
    message.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read through Debug alone")]
    struct Example {
        batch_size: usize,
        workers: usize,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let error = parse::<Example>("workers = 1\n  batchsize = 2\n", Path::new("a.toml")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("a.toml:2:3: unknown field `batchsize`"), "{text}");
        assert!(text.ends_with("did you mean `batch_size`?"), "{text}");
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let error = parse::<Example>("batch_size = 1\nworkers = \"two\"\n", Path::new("b.toml")).unwrap_err();
        assert!(error.to_string().starts_with("b.toml:2:11: invalid type"), "{error}");
    }
}
