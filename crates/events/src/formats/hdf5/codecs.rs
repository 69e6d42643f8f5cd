//! Functions shared by filters with several codecs: reading a chunk, LZ4 and Zstandard.

use std::io::Read;

/// Decompresses bytes to exactly the given size.
pub(super) type Unpack = fn(&[u8], usize) -> Result<Vec<u8>, String>;

/// The next `count` bytes.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], String> {
    bytes.split_off(..count).ok_or_else(|| "the chunk is cut".to_owned())
}

pub(super) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], String> {
    let array = bytes.split_off(..N).and_then(|part| part.first_chunk().copied());
    array.ok_or_else(|| "the chunk is cut".to_owned())
}

/// A chunk's stated size, if it is plausible.
pub(super) fn plausible(size: impl TryInto<usize>, most: usize) -> Result<usize, String> {
    size.try_into()
        .ok()
        .filter(|&size| size <= most)
        .ok_or_else(|| format!("a chunk claims to hold more than {most} bytes"))
}

/// Appends `length` bytes from a distance of `distance`, which may overlap.
pub(super) fn copy_back(
    out: &mut Vec<u8>,
    distance: usize,
    length: usize,
    most: usize,
) -> Result<(), String> {
    let start = out.len().checked_sub(distance).filter(|_| distance > 0);
    let Some(start) = start else { return Err("a copy from before the start".into()) };
    if out.len() + length > most {
        return Err(format!("a chunk unfolds to more than {most} bytes"));
    }
    for i in start..start + length {
        out.push(out[i]);
    }
    Ok(())
}

/// Decompresses an LZ4 block of exactly `size` bytes.
pub(super) fn lz4(bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
    // An LZ4 block grows to at most 255 times its size.
    plausible(size, bytes.len().saturating_mul(255))?;
    let mut out = vec![0; size];
    match lz4_flex::block::decompress_into(bytes, &mut out) {
        Ok(found) if found == size => Ok(out),
        Ok(found) => Err(format!("a block holds {found} bytes, not {size}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Decompresses a Zstandard frame of at most `most` bytes.
pub(super) fn zstandard(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    // A window is allocated before it is filled; usual ones are up to 8 MiB.
    let window = (most as u64).max(8 << 20);
    let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(bytes, window)
        .map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut out).map_err(|error| error.to_string())?;
    plausible(out.len(), most)?;
    Ok(out)
}
