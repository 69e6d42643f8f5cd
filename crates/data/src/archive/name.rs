//! Names of entries: parts separated by `/`, never leading outside the archive.

use std::path::Path;

use crate::error::DataError;

/// The meaning of a name in an archive.
pub(super) enum Name {
    /// A file.
    File(String),
    /// A folder; the archive itself is `""`.
    Folder(String),
    /// Added by an operating system: see [`is_of_a_system`].
    System(String),
}

/// The entry's name in normal form.
///
/// Bytes that are not UTF-8 are written as `\xe9`, so that two names never become equal.
///
/// # Errors
/// [`DataError::EntryPath`] if it leads out of the archive.
pub(super) fn plain(raw: &[u8], archive: &Path) -> Result<Name, DataError> {
    let leads_out = || DataError::EntryPath { path: archive.to_path_buf(), entry: text(raw) };
    if raw.starts_with(b"/") || raw.starts_with(b"\\") || raw.contains(&0) {
        return Err(leads_out());
    }
    let mut name = String::with_capacity(raw.len());
    for part in raw.split(|byte| matches!(byte, b'/' | b'\\')) {
        match part {
            b"" | b"." => continue,
            b".." => return Err(leads_out()),
            [_, b':'] if name.is_empty() => return Err(leads_out()),
            _ => {}
        }
        if !name.is_empty() {
            name.push('/');
        }
        push_text(&mut name, part);
    }
    Ok(if name.split('/').any(is_of_a_system) {
        Name::System(name)
    } else if name.is_empty() || raw.ends_with(b"/") || raw.ends_with(b"\\") {
        Name::Folder(name)
    } else {
        Name::File(name)
    })
}

/// Whether a part of a name is that of a file or folder added by an operating system or this crate: macOS's
/// copies of metadata, previews by Windows and Synology, decompressed archives.
pub(super) fn is_of_a_system(part: &str) -> bool {
    part.starts_with("._")
        || ["__MACOSX", ".DS_Store", "@eaDir", ".tks-cache"].contains(&part)
        || ["Thumbs.db", "desktop.ini"].iter().any(|name| part.eq_ignore_ascii_case(name))
}

/// A name as text, with bytes that are not UTF-8 as `\xe9` and control characters as `\u{a}`.
pub(super) fn text(raw: &[u8]) -> String {
    let mut name = String::with_capacity(raw.len());
    push_text(&mut name, raw);
    name
}

fn push_text(name: &mut String, raw: &[u8]) {
    for chunk in raw.utf8_chunks() {
        for letter in chunk.valid().chars() {
            // characters that change the writing direction disguise a name
            if letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                name.extend(letter.escape_unicode())
            } else {
                name.push(letter)
            }
        }
        for byte in chunk.invalid() {
            name.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_files_folders_or_a_systems_and_never_lead_out() {
        let cases: [(&[u8], &str); 24] = [
            (b"a/b", "file a/b"),
            (b"./a//b", "file a/b"),
            (b"a\\b", "file a/b"),
            (b"a..b/..c", "file a..b/..c"),
            (b"a/", "folder a"),
            (b"a\\", "folder a"),
            (b"./", "folder "),
            (b"", "folder "),
            (b"a/C:", "file a/C:"),
            (b"CC:", "file CC:"),
            (b"C:", "out"),
            (b"./C:/a", "out"),
            (b"/a", "out"),
            (b"\\a", "out"),
            (b"a\0b", "out"),
            (b"..", "out"),
            (b"a/../b", "out"),
            (b"a/._b/c", "system a/._b/c"),
            (b"__MACOSX/a", "system __MACOSX/a"),
            (b"a/.DS_Store", "system a/.DS_Store"),
            (b"a/@eaDir/", "system a/@eaDir"),
            (b".tks-cache/a", "system .tks-cache/a"),
            (b"THUMBS.db", "system THUMBS.db"),
            (b"a/Desktop.ini", "system a/Desktop.ini"),
        ];
        for (raw, expected) in cases {
            let found = match plain(raw, Path::new("x.zip")) {
                Ok(Name::File(name)) => format!("file {name}"),
                Ok(Name::Folder(name)) => format!("folder {name}"),
                Ok(Name::System(name)) => format!("system {name}"),
                Err(error) => {
                    assert!(matches!(error, DataError::EntryPath { .. }), "{error}");
                    "out".to_string()
                }
            };
            assert_eq!(found, expected, "{}", text(raw));
        }
        for name in ["MACOSX", "DS_Store", "thumbs", "._", "x._"] {
            assert_eq!(is_of_a_system(name), name == "._", "{name}");
        }
    }

    #[test]
    fn what_would_change_the_text_around_a_name_is_escaped() {
        for (raw, expected) in [
            ("a\nb\u{7f}".as_bytes(), "a\\u{a}b\\u{7f}"),
            ("\u{2029}\u{202a}\u{202e}\u{202f}".as_bytes(), "\u{2029}\\u{202a}\\u{202e}\u{202f}"),
            ("\u{2065}\u{2066}\u{2069}\u{206a}".as_bytes(), "\u{2065}\\u{2066}\\u{2069}\u{206a}"),
            (b"a\xe9\xffb".as_slice(), "a\\xe9\\xffb"),
            ("ä 日".as_bytes(), "ä 日"),
        ] {
            assert_eq!(text(raw), expected);
        }
    }
}
