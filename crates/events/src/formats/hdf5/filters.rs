//! Compression filters registered with HDF5, in addition to its own, that are used by event recordings.
//!
//! [`super::blosc`] and [`super::bitshuffle`] are formats with several codecs; the others are here.
//! Unsupported filters are refused by name.

use hdf5_reader::FilterRegistry;
use hdf5_reader::error::Error;

use super::codecs::{copy_back, lz4, plausible, take, take_array, zstandard};
use super::{bitshuffle, blosc};

/// Decodes a chunk: its bytes, the filter's parameters and the maximum size of the result.
type Decode = fn(&[u8], &[u32], usize) -> Result<Vec<u8>, String>;

/// A filter with its registered number.
struct Filter {
    id: u16,
    name: &'static str,
    /// `None` if it is not supported.
    decode: Option<Decode>,
}

/// Numbers from The HDF Group's list of registered filters.
const FILTERS: &[Filter] = &[
    Filter { id: 32000, name: "LZF", decode: Some(|bytes, _, most| lzf(bytes, most)) },
    Filter { id: 32001, name: "Blosc", decode: Some(|bytes, _, most| blosc::decode(bytes, most)) },
    Filter { id: 32004, name: "LZ4", decode: Some(|bytes, _, most| lz4_blocks(bytes, most)) },
    Filter { id: 32008, name: "Bitshuffle", decode: Some(bitshuffle::decode) },
    Filter { id: 32015, name: "Zstandard", decode: Some(|bytes, _, most| zstandard(bytes, most)) },
    Filter { id: 307, name: "bzip2", decode: None },
    Filter { id: 32013, name: "ZFP", decode: None },
    Filter { id: 32017, name: "SZ", decode: None },
    Filter { id: 32026, name: "Blosc2", decode: None },
    Filter { id: ECF, name: "ECF", decode: None },
];

/// Prophesee's own codec for `CD/events`.
const ECF: u16 = 0x8ecf;

/// The remedy for an unsupported filter.
fn remedy(id: u16) -> String {
    let mut remedy = "write the file with one that is read: `h5repack -f GZIP=1 IN OUT`".to_owned();
    if id == ECF {
        remedy += " (with Prophesee's plugin, which HDF5_PLUGIN_PATH has to name), or take the RAW file";
    }
    remedy
}

fn unread(id: u16) -> String {
    let name =
        FILTERS.iter().find(|filter| filter.id == id).map_or(String::new(), |f| format!("{} ", f.name));
    format!("compressed by the filter {name}({id}), which is not read: {}", remedy(id))
}

/// The filters for a file whose chunks contain at most `most` bytes.
pub(super) fn registry(most: usize) -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    for &Filter { id, name, decode } in FILTERS {
        registry.register(
            id,
            Box::new(move |filter, bytes, _| match decode {
                Some(decode) => decode(bytes, &filter.client_data, most)
                    .map_err(|problem| Error::DecompressionError(format!("{name}: {problem}"))),
                None => Err(Error::UnsupportedFilter(unread(id))),
            }),
        );
    }
    registry
}

/// A readable description of an error.
pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::Context { source, .. } => explain(source),
        Error::UnsupportedFilter(text) => match text.strip_prefix("filter id ").map(str::parse) {
            Some(Ok(id)) => unread(id),
            _ => text.clone(),
        },
        Error::ResourceLimit(text) => {
            format!(
                "{text}, which a file of this size does not hold; if it does, write it uncompressed: \
                     `h5repack -f NONE IN OUT`"
            )
        }
        other => other.to_string(),
    }
}

/// LibLZF's format, as written by h5py: runs of up to 32 bytes, or repeats of up to 264 bytes from a distance
/// of up to 8192.
fn lzf(mut bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let [control] = take_array(&mut bytes)?;
        let control = usize::from(control);
        if control < 32 {
            let run = take(&mut bytes, control + 1)?;
            plausible(out.len() + run.len(), most)?;
            out.extend_from_slice(run);
        } else {
            let mut length = (control >> 5) + 2;
            if control >> 5 == 7 {
                length += usize::from(take_array::<1>(&mut bytes)?[0]);
            }
            let low = usize::from(take_array::<1>(&mut bytes)?[0]);
            copy_back(&mut out, ((control & 31) << 8 | low) + 1, length, most)?;
        }
    }
    Ok(out)
}

/// The registered filter LZ4: the total size and the block size, then blocks preceded by their length, all
/// big-endian; a block as long as its contents is stored.
fn lz4_blocks(mut bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let size = plausible(u64::from_be_bytes(take_array(&mut bytes)?), most)?;
    let block = u32::from_be_bytes(take_array(&mut bytes)?) as usize;
    let mut out = Vec::new();
    while out.len() < size {
        let length = block.min(size - out.len());
        let packed = u32::from_be_bytes(take_array(&mut bytes)?) as usize;
        let packed = take(&mut bytes, packed)?;
        if length == 0 {
            return Err("blocks of no bytes".into());
        }
        if packed.len() == length {
            out.extend_from_slice(packed);
        } else {
            out.extend(lz4(packed, length)?);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lzf_runs_and_copies() {
        // `abc`, then 3 + 2 bytes from a distance of 3, then 7 + 1 + 2 from a distance of 1.
        let bytes = [2, b'a', b'b', b'c', 3 << 5, 2, 7 << 5, 1, 0];
        assert_eq!(lzf(&bytes, 100).unwrap(), b"abcabcabbbbbbbbbbb"[..18].to_vec());
        assert!(lzf(&bytes, 17).is_err());
        assert!(lzf(&bytes[..8], 100).is_err());
        assert!(lzf(&[1 << 5, 0], 100).unwrap_err().contains("before the start"));
    }

    #[test]
    fn lz4_blocks_are_stored_or_packed() {
        let text = b"zero one zero one zero one zero one zero one";
        let packed = lz4_flex::block::compress(&text[..40]);
        let mut bytes = 44u64.to_be_bytes().to_vec();
        bytes.extend(40u32.to_be_bytes());
        bytes.extend((packed.len() as u32).to_be_bytes());
        bytes.extend(&packed);
        bytes.extend(4u32.to_be_bytes());
        bytes.extend(&text[40..]);
        assert_eq!(lz4_blocks(&bytes, 44).unwrap(), text);
        assert!(lz4_blocks(&bytes, 43).unwrap_err().contains("more than 43 bytes"));
        assert!(lz4_blocks(&bytes[..bytes.len() - 1], 44).unwrap_err().contains("cut"));
        bytes[8..12].fill(0);
        assert!(lz4_blocks(&bytes, 44).is_err());
    }

    #[test]
    fn a_filter_that_is_not_read_is_named_with_what_to_do() {
        assert!(
            unread(32026).contains("Blosc2 (32026)") && unread(32026).contains("h5repack -f GZIP=1 IN OUT")
        );
        assert!(unread(0x8ecf).contains("ECF (36559)") && unread(0x8ecf).contains("HDF5_PLUGIN_PATH"));
        let unknown = Error::UnsupportedFilter("filter id 257".into()).with_context("events/t");
        assert!(explain(&unknown).contains("filter (257), which is not read"));
    }
}
