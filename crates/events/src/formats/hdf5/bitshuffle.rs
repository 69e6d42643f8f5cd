//! Bitshuffle (Masui et al., Astronomy and Computing 12, 2015): bit planes of numbers, then LZ4 or Zstandard.
//!
//! A plane contains one bit of all elements of a block, the first in the lowest bit of its first byte; planes
//! are in order, starting with the lowest bit of the first byte of an element.

use super::codecs::{Unpack, lz4, plausible, take, take_array, zstandard};

/// The number of elements in a block is a multiple of this.
const GROUP: usize = 8;

/// Decodes a chunk of the filter. Its parameters are two version numbers, the size of an element, the number
/// of elements per block (0 for the usual number) and the codec. With a codec, the total size and the block
/// size come first, and the length of each block before it, all big-endian. Elements beyond the last complete
/// group of 8 are stored.
pub(super) fn decode(mut bytes: &[u8], parameters: &[u32], most: usize) -> Result<Vec<u8>, String> {
    let parameter = |i: usize| parameters.get(i).map_or(0, |&value| value as usize);
    let element = parameter(2);
    if element == 0 || element > 1 << 16 {
        return Err(format!("elements of {element} bytes"));
    }
    let unpack: Option<Unpack> = match parameter(4) {
        0 => None,
        2 => Some(lz4),
        3 => Some(zstandard),
        other => return Err(format!("a codec numbered {other}, which is not known")),
    };
    let (size, block) = match unpack {
        None => (bytes.len(), parameter(3)),
        Some(_) => {
            let size = plausible(u64::from_be_bytes(take_array(&mut bytes)?), most)?;
            (size, u32::from_be_bytes(take_array(&mut bytes)?) as usize / element)
        }
    };
    let block = if block == 0 { usual_block(element) } else { block };
    if !block.is_multiple_of(GROUP) {
        return Err(format!("blocks of {block} elements"));
    }
    plausible(block.saturating_mul(element), most.saturating_mul(2).max(1 << 20))?;
    let mut left = size / element / GROUP * GROUP;
    let mut out = Vec::new();
    while left > 0 {
        let elements = block.min(left);
        left -= elements;
        let length = elements * element;
        let unpacked;
        let planes = match unpack {
            None => take(&mut bytes, length)?,
            Some(unpack) => {
                let packed = u32::from_be_bytes(take_array(&mut bytes)?) as usize;
                unpacked = unpack(take(&mut bytes, packed)?, length)?;
                unpacked.as_slice()
            }
        };
        if planes.len() != length {
            return Err(format!("a block holds {} bytes, not {length}", planes.len()));
        }
        gather(planes, element, &mut out);
    }
    out.extend_from_slice(take(&mut bytes, size - out.len())?);
    Ok(out)
}

/// 8 KiB, and at least 128 elements.
fn usual_block(element: usize) -> usize {
    (8192 / element / GROUP * GROUP).max(128)
}

/// Appends the elements of planes: complete groups of 8 elements of `element` bytes.
pub(super) fn gather(planes: &[u8], element: usize, out: &mut Vec<u8>) {
    let plane = planes.len() / element / GROUP;
    let start = out.len();
    out.resize(start + plane * GROUP * element, 0);
    let elements = &mut out[start..];
    for byte in 0..element {
        let planes = &planes[byte * GROUP * plane..][..GROUP * plane];
        for group in 0..plane {
            let bits = u64::from_le_bytes(std::array::from_fn(|bit| planes[bit * plane + group]));
            for (i, value) in transposed(bits).to_le_bytes().into_iter().enumerate() {
                elements[(group * GROUP + i) * element + byte] = value;
            }
        }
    }
}

/// Transposes a matrix of 8 x 8 bits, one row per byte (Warren, Hacker's Delight, section 7-3).
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let changed = (bits ^ (bits >> shift)) & mask;
        bits ^= changed ^ (changed << shift);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The planes of elements, bit by bit.
    fn planes(elements: &[u8], element: usize) -> Vec<u8> {
        let count = elements.len() / element;
        let mut planes = vec![0; elements.len()];
        for (i, bytes) in elements.chunks_exact(element).enumerate() {
            for bit in 0..8 * element {
                let value = bytes[bit / 8] >> (bit % 8) & 1;
                planes[bit * count / 8 + i / 8] |= value << (i % 8);
            }
        }
        planes
    }

    #[test]
    fn planes_become_elements_again() {
        for element in [1, 2, 3, 8] {
            let elements: Vec<u8> = (0..24 * element).map(|i| (i * i * 37 + 11 * i) as u8).collect();
            let mut out = Vec::new();
            gather(&planes(&elements, element), element, &mut out);
            assert_eq!(out, elements, "{element}");
            // A full block of 16, one of 8, and a stored element.
            let mut chunk = planes(&elements[..16 * element], element);
            chunk.extend(planes(&elements[16 * element..], element));
            chunk.extend(vec![7; element]);
            let out = decode(&chunk, &[0, 3, element as u32, 16, 0], 1000).unwrap();
            assert_eq!((&out[..24 * element], &out[24 * element..]), (&elements[..], &vec![7; element][..]));
        }
    }

    #[test]
    fn faulty_chunks_are_errors() {
        assert!(decode(&[0; 8], &[0, 0, 0, 8, 0], 100).is_err());
        assert!(decode(&[0; 8], &[0, 0, 1, 7, 0], 100).is_err());
        assert!(decode(&[0; 8], &[0, 0, 1, 8, 9], 100).is_err());
        let mut claims = u64::MAX.to_be_bytes().to_vec();
        claims.extend([0; 8]);
        assert!(decode(&claims, &[0, 0, 1, 8, 2], 100).unwrap_err().contains("more than 100 bytes"));
    }
}
