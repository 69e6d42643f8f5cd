//! Names of entries: parts with `/` between, never out of the archive.

use std::path::Path;

use crate::error::DataError;

/// The entry's name in its plain form; `None` for a folder, the archive itself, and what macOS adds.
pub(super) fn plain(raw: &[u8], archive: &Path) -> Result<Option<String>, DataError> {
    let text = String::from_utf8_lossy(raw);
    let leads_out = || DataError::EntryPath { path: archive.to_path_buf(), entry: text.to_string() };
    if text.starts_with(['/', '\\']) || text.contains('\0') {
        return Err(leads_out());
    }
    if text.ends_with(['/', '\\']) {
        return Ok(None);
    }
    let mut name = String::with_capacity(text.len());
    for part in text.split(['/', '\\']) {
        match part {
            "" | "." => continue,
            ".." => return Err(leads_out()),
            _ if name.is_empty() && part.len() == 2 && part.ends_with(':') => return Err(leads_out()),
            _ => {}
        }
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    let last = name.rsplit('/').next().unwrap_or_default();
    let extra = last.starts_with("._") || last == ".DS_Store" || name.starts_with("__MACOSX/");
    Ok((!name.is_empty() && !extra).then_some(name))
}
