//! Files that are not recordings, recognised by their first bytes and reported by name, so that they are not
//! mistaken for a format without a signature.

/// A kind of file and its signature, all of which must be present: positions and bytes.
type Kind = (&'static str, &'static [(usize, &'static [u8])]);

/// Kinds of files that may lie beside recordings, or contain a packed recording.
const KINDS: &[Kind] = &[
    ("a gzip archive", &[(0, b"\x1f\x8b\x08")]),
    ("a bzip2 archive", &[(0, b"BZh"), (4, b"1AY&SY")]),
    ("a bzip2 archive of nothing", &[(0, b"BZh"), (4, b"\x17\x72\x45\x38\x50\x90")]),
    ("an xz archive", &[(0, b"\xfd7zXZ\0")]),
    ("an LZMA archive", &[(0, b"\x5d\0\0"), (10, b"\xff\xff")]),
    ("a lzip archive", &[(0, b"LZIP\x01")]),
    ("a lzop archive", &[(0, b"\x89LZO\0\r\n\x1a\n")]),
    ("a Zstandard archive", &[(0, b"\x28\xb5\x2f\xfd")]),
    ("an LZ4 archive", &[(0, b"\x04\x22\x4d\x18")]),
    ("a Snappy archive", &[(0, b"\xff\x06\0\0sNaPpY")]),
    ("a 7-Zip archive", &[(0, b"7z\xbc\xaf\x27\x1c")]),
    ("a RAR archive", &[(0, b"Rar!\x1a\x07")]),
    ("a tar archive", &[(257, b"ustar")]),
    ("an ar archive", &[(0, b"!<arch>\n")]),
    ("a Windows cabinet", &[(0, b"MSCF\0\0\0\0")]),
    ("a ROS bag (extract the events' topic to `.npz`, text or HDF5)", &[(0, b"#ROSBAG V")]),
    ("a SQLite database, such as a rosbag2 (extract the events' topic)", &[(0, b"SQLite format 3\0")]),
    ("an MCAP log (extract the events' topic)", &[(0, b"\x89MCAP0\r\n")]),
    ("a PNG image", &[(0, b"\x89PNG\r\n\x1a\n")]),
    ("a JPEG image", &[(0, b"\xff\xd8\xff")]),
    ("a GIF image", &[(0, b"GIF87a")]),
    ("a GIF image", &[(0, b"GIF89a")]),
    ("a TIFF image", &[(0, b"II*\0")]),
    ("a TIFF image", &[(0, b"MM\0*\0")]),
    ("a WebP image", &[(0, b"RIFF"), (8, b"WEBP")]),
    ("a PSD image", &[(0, b"8BPS\0\x01")]),
    ("an AVI video", &[(0, b"RIFF"), (8, b"AVI ")]),
    ("a WAVE sound", &[(0, b"RIFF"), (8, b"WAVE")]),
    ("an MP4 or QuickTime video", &[(4, b"ftyp")]),
    ("a QuickTime video", &[(4, b"moov")]),
    ("a Matroska or WebM video", &[(0, b"\x1a\x45\xdf\xa3")]),
    ("an MPEG video", &[(0, b"\0\0\x01\xba")]),
    ("a FLAC sound", &[(0, b"fLaC")]),
    ("an Ogg sound or video", &[(0, b"OggS\0")]),
    ("an MP3 sound", &[(0, b"ID3"), (5, b"\0")]),
    ("a PDF document", &[(0, b"%PDF-")]),
    ("a PostScript document", &[(0, b"%!PS")]),
    ("an RTF document", &[(0, b"{\\rtf")]),
    ("a Microsoft Office document", &[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")]),
    ("a MATLAB 7.3 file, or the start of one", &[(0, b"MATLAB 7.3 MAT-file")]),
    ("a Parquet table", &[(0, b"PAR1")]),
    ("an Arrow table", &[(0, b"ARROW1\0\0")]),
    ("a Feather table", &[(0, b"FEA1")]),
    ("a netCDF file", &[(0, b"CDF\x01")]),
    ("a netCDF file", &[(0, b"CDF\x02")]),
    ("a program (ELF)", &[(0, b"\x7fELF")]),
    ("a program (Mach-O)", &[(0, b"\xcf\xfa\xed\xfe")]),
    ("a program or Java class", &[(0, b"\xca\xfe\xba\xbe")]),
    ("a Windows program", &[(0, b"MZ\x90\0")]),
    ("a WebAssembly program", &[(0, b"\0asm\x01")]),
    ("a companion file of macOS (`._` before a name), without the recording", &[(0, b"\0\x05\x16\x07")]),
    ("a companion file of macOS, without the recording", &[(0, b"\0\x05\x16\0")]),
    ("a macOS folder description (`.DS_Store`)", &[(0, b"\0\0\0\x01Bud1")]),
    ("a git object store", &[(0, b"PACK\0\0\0\x02")]),
    (
        "a Git LFS pointer, not the recording it stands for: run `git lfs pull`",
        &[(0, b"version https://git-lfs.github.com/spec/")],
    ),
    ("a git-annex pointer, not the recording it stands for: run `git annex get`", &[(0, b"/annex/objects/")]),
    ("a TensorFlow Lite model", &[(4, b"TFL3")]),
    ("a network capture", &[(0, b"\xd4\xc3\xb2\xa1")]),
];

/// The kind of this file, if it is known not to be a recording.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    let has = |&(at, mark): &(usize, &[u8])| bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
    KINDS
        .iter()
        .find(|(_, marks)| marks.iter().all(has))
        .map(|(name, _)| *name)
        .or_else(|| by_structure(bytes))
}

/// Kinds that their first bytes alone do not identify.
fn by_structure(bytes: &[u8]) -> Option<&'static str> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let text = |word: &[u8]| {
        let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        bytes.get(start..start + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    };
    if is_pickle(bytes) {
        Some("a Python pickle (save the arrays by `numpy.savez`)")
    } else if bytes.starts_with(b"BM") && number(2) == Some(bytes.len()) {
        Some("a BMP image")
    } else if is_idx(bytes) {
        Some("an IDX file, as MNIST's images and labels are")
    } else if text(b"<!doctype html") || text(b"<html") || text(b"<head") {
        Some("a page of a web site (HTML), perhaps an error page saved in place of a download")
    } else if text(b"<?xml") || text(b"<error>") {
        Some("an XML document")
    } else if bytes.len() >= 16 && bytes.iter().all(|&byte| byte == 0) {
        Some("a file of zeros, as an interrupted copy or a full disk leaves it")
    } else {
        None
    }
}

/// A pickle of protocol 2 to 5: the protocol, and an operation that may come first. As an ATIS event, it
/// would start a recording after a second or more.
fn is_pickle(bytes: &[u8]) -> bool {
    const FIRST: &[u8] = b"\x95]})(cXKJMNG\x88\x89\x8a\x8b\x8cUBCldt";
    matches!(bytes, [0x80, 2..=5, first, _, ..] if FIRST.contains(first))
}

/// Numbers with a header of sizes that determines the length of the file.
fn is_idx(bytes: &[u8]) -> bool {
    let [0, 0, kind, dimensions @ 1..=4, rest @ ..] = bytes else { return false };
    let width = match kind {
        0x08 | 0x09 => 1,
        0x0b => 2,
        0x0c | 0x0d => 4,
        0x0e => 8,
        _ => return false,
    };
    let (sizes, _) = rest.as_chunks::<4>();
    let Some(sizes) = sizes.get(..usize::from(*dimensions)) else { return false };
    let count = sizes
        .iter()
        .try_fold(width, |product: usize, size| product.checked_mul(u32::from_be_bytes(*size) as usize));
    let there = bytes.len() - 4 - 4 * sizes.len();
    count == Some(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_by_its_marks() {
        for (name, marks) in KINDS {
            let mut bytes = vec![b'~'; 600];
            for (at, mark) in *marks {
                bytes[*at..at + mark.len()].copy_from_slice(mark);
            }
            assert_eq!(kind(&bytes), Some(*name));
        }
    }

    #[test]
    fn kinds_without_a_mark_are_told_by_their_structure() {
        let idx = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1][..], &[7; 6]].concat();
        let bmp = [&b"BM"[..], &10u32.to_le_bytes(), &[0; 4]].concat();
        for (bytes, name) in [
            (&b"\x80\x03]q\0(K\x01e."[..], "Python pickle"),
            (b"\x80\x04\x95\x0a\0\0\0\0\0\0\0]\x94.", "Python pickle"),
            (&idx, "IDX"),
            (&bmp, "BMP"),
            (b"\n <!DOCTYPE html><title>404</title>", "HTML"),
            (&[0; 40], "zeros"),
        ] {
            assert!(kind(bytes).is_some_and(|kind| kind.contains(name)), "{name}");
        }
        // Events that begin in the same way.
        for bytes in
            [&b"BM\0\0\x09BN\0\0\x0a"[..], &[0, 0, 8, 3, 9], &[0x80, 3, 0, 0, 9], b"12 3 4 1\n", &[0; 5]]
        {
            assert_eq!(kind(bytes), None);
        }
    }
}
