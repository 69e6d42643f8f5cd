//! A chunk of Blosc 1, after "Blosc Chunk Format": used by DSEC's recordings.
//!
//! A header of 16 bytes (version, version of the codec, flags, size of an element; then size, size of a block
//! and size of the chunk), the position of each block, and the blocks: one part, or as many as an element has
//! bytes, each preceded by its length; a part as long as its contents is stored. All numbers are
//! little-endian.

use std::io::Read;

use super::bitshuffle::gather;
use super::codecs::{Unpack, copy_back, lz4, plausible, take, take_array, zstandard};

const HEADER: usize = 16;
/// Blocks are split into at most this many parts, of at least so many bytes.
const MOST_PARTS: usize = 16;
const SMALLEST_PART: usize = 128;

/// Flags of the header; the codec is in the upper three bits.
const SHUFFLED: u8 = 1;
const STORED: u8 = 2;
const BIT_SHUFFLED: u8 = 4;
const NOT_SPLIT: u8 = 16;

struct Chunk {
    flags: u8,
    /// Bytes of an element.
    element: usize,
    unpack: Unpack,
}

pub(super) fn decode(bytes: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let mut rest = bytes;
    let [version, _, flags, element] = take_array(&mut rest)?;
    let mut number = || Ok::<_, String>(u32::from_le_bytes(take_array(&mut rest)?) as usize);
    let (size, block, _) = (number()?, number()?, number()?);
    if !(1..=2).contains(&version) {
        return Err(format!("version {version} of its chunks"));
    }
    plausible(size, most)?;
    if flags & STORED != 0 {
        return Ok(take(&mut rest, size)?.to_vec());
    }
    let unpack: Unpack = match flags >> 5 {
        0 => blosclz,
        1 => lz4,
        2 => {
            let remedy = "write the file with another: `h5repack -f GZIP=1 IN OUT`";
            return Err(format!("its codec Snappy, which is not read: {remedy}"));
        }
        3 => zlib,
        4 => zstandard,
        other => return Err(format!("a codec numbered {other}, which is not known")),
    };
    let chunk = Chunk { flags, element: usize::from(element).max(1), unpack };
    if size > 0 && block == 0 {
        return Err("blocks of no bytes".into());
    }
    let mut out = Vec::new();
    for i in 0..size.div_ceil(block.max(1)) {
        let at = HEADER.checked_add(4 * i).and_then(|at| bytes.get(at..)).ok_or("the chunk is cut")?;
        let at = u32::from_le_bytes(take_array(&mut { at })?) as usize;
        let length = block.min(size - out.len());
        chunk.block(bytes.get(at..).ok_or("the chunk is cut")?, length, length < block, &mut out)?;
    }
    Ok(out)
}

impl Chunk {
    /// Appends a block of `length` bytes; the last one is shorter than the others.
    fn block(&self, mut bytes: &[u8], length: usize, shorter: bool, out: &mut Vec<u8>) -> Result<(), String> {
        let element = self.element;
        let is_split = self.flags & NOT_SPLIT == 0
            && !shorter
            && element <= MOST_PARTS
            && length / element >= SMALLEST_PART;
        let parts = if is_split { element } else { 1 };
        let part = length / parts;
        let mut block = Vec::new();
        for _ in 0..parts {
            let packed = u32::from_le_bytes(take_array(&mut bytes)?) as usize;
            let packed = take(&mut bytes, packed)?;
            if packed.len() == part {
                block.extend_from_slice(packed);
            } else {
                block.extend((self.unpack)(packed, part)?);
            }
        }
        if block.len() != length {
            return Err(format!("a block holds {} bytes, not {length}", block.len()));
        }
        let elements = length / element;
        let (shuffled, rest) = block.split_at(elements * element);
        if self.flags & BIT_SHUFFLED != 0 && elements > 0 && elements.is_multiple_of(8) {
            gather(shuffled, element, out);
        } else if self.flags & SHUFFLED != 0 && self.flags & BIT_SHUFFLED == 0 && element > 1 {
            out.extend((0..shuffled.len()).map(|i| shuffled[i % element * elements + i / element]));
        } else {
            out.extend_from_slice(shuffled);
        }
        out.extend_from_slice(rest);
        Ok(())
    }
}

fn zlib(bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(bytes)
        .take(size as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| error.to_string())?;
    plausible(out.len(), size)?;
    Ok(out)
}

/// Distances that need more than 13 bits are relative to this.
const FAR: usize = 8191;

/// BloscLZ, a variant of FastLZ: runs of up to 32 bytes, or repeats of 3 or more bytes from a distance of up
/// to 73,726.
fn blosclz(mut bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut is_first = true;
    while !bytes.is_empty() {
        let mut next = || take_array::<1>(&mut bytes).map(|[byte]| usize::from(byte));
        // The first one is always a run, and its upper bits identify BloscLZ.
        let control = if std::mem::take(&mut is_first) { next()? & 31 } else { next()? };
        if control < 32 {
            let run = take(&mut bytes, control + 1)?;
            plausible(out.len() + run.len(), size)?;
            out.extend_from_slice(run);
            continue;
        }
        let mut length = (control >> 5) + 2;
        if control >> 5 == 7 {
            loop {
                let more = next()?;
                length += more;
                if more != 255 {
                    break;
                }
            }
        }
        let (high, low) = (control & 31, next()?);
        let distance = match (high, low) {
            (31, 255) => FAR + (next()? << 8 | next()?) + 1,
            _ => (high << 8 | low) + 1,
        };
        copy_back(&mut out, distance, length, size)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(flags: u8, element: u8, size: u32, block: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![2, 1, flags, element];
        let total = HEADER + blocks.iter().map(|block| 4 + block.len()).sum::<usize>();
        for number in [size, block, total as u32] {
            bytes.extend(number.to_le_bytes());
        }
        let mut at = HEADER + 4 * blocks.len();
        for block in blocks {
            bytes.extend((at as u32).to_le_bytes());
            at += block.len();
        }
        bytes.extend(blocks.concat());
        bytes
    }

    #[test]
    fn stored_parts_and_shuffled_bytes() {
        // A stored block of three elements of two bytes: the first bytes come first.
        let mut block = 6u32.to_le_bytes().to_vec();
        block.extend([1, 3, 5, 2, 4, 6]);
        let bytes = chunk(SHUFFLED | NOT_SPLIT, 2, 6, 6, &[block]);
        assert_eq!(decode(&bytes, 6).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert!(decode(&bytes, 5).unwrap_err().contains("more than 5 bytes"));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut], 6).is_err(), "{cut}");
        }
    }

    #[test]
    fn blosclz_copies_near_and_far() {
        // `ab`, then 3 bytes from a distance of 2, then 7 + 2 + 255 + 1 from a distance of 1.
        let bytes = [1 | 32, b'a', b'b', 1 << 5, 1, 7 << 5, 255, 1, 0];
        let mut expected = b"ababa".to_vec();
        expected.extend([b'a'; 265]);
        assert_eq!(blosclz(&bytes, 270).unwrap(), expected);
        assert!(blosclz(&bytes, 269).is_err());
        let far = [0, b'a', 1 << 5 | 31, 255, 0, 0];
        assert!(blosclz(&far, 100).unwrap_err().contains("before the start"));
    }

    #[test]
    fn codecs_that_are_not_read_are_named() {
        assert!(decode(&chunk(2 << 5, 1, 9, 9, &[vec![0; 9]]), 9).unwrap_err().contains("Snappy"));
        assert!(decode(&chunk(7 << 5, 1, 9, 9, &[vec![0; 9]]), 9).unwrap_err().contains("numbered 7"));
        assert!(decode(&chunk(0, 1, 9, 0, &[]), 9).is_err());
    }
}
