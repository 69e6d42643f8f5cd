//! Huffman codes (T.81, annexes C and F).

use crate::bits::Bits;

use crate::error::{Damage, JpegError};

/// Bits looked up at once; longer codes are rare.
const LOOK: u32 = 10;

/// A Huffman code as decoding tables.
#[derive(Debug, Clone)]
pub(crate) struct Huffman {
    /// Indexed by the next bits: the symbol in the upper byte and the code's length in the lower one; 0 if
    /// the code is longer.
    short: Box<[u16; 1 << LOOK]>,
    /// Indexed by the next bits: if code and number fit, the number, the zeros before it, and the bits of
    /// both; else 0.
    number: Box<[(i16, u8, u8); 1 << LOOK]>,
    /// For each length, the first code beyond those of that length, left-aligned in 16 bits.
    beyond: [u32; 17],
    /// For each length, the offset from a code to its symbol.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The code with the given number of symbols of each length from 1 to 16.
    pub(crate) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, JpegError> {
        let mut table = Self {
            short: Box::new([0; 1 << LOOK]),
            number: Box::new([(0, 0, 0); 1 << LOOK]),
            beyond: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut at) = (0u32, 0);
        for length in 1..=16u32 {
            table.offset[length as usize] = at as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >= 1 << length {
                    return Err(Damage::TooManyCodes.into());
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    let entry = u16::from(symbols[at]) << 8 | length as u16;
                    table.short[first..first + (1 << (LOOK - length))].fill(entry);
                }
                code += 1;
                at += 1;
            }
            table.beyond[length as usize] = code << (16 - length);
            code <<= 1;
        }
        for (bits, place) in table.number.iter_mut().enumerate() {
            let (symbol, length) = (table.short[bits] >> 8, u32::from(table.short[bits] & 0xff));
            let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
            if length > 0 && size > 0 && length + size <= LOOK {
                let value = (bits as i32 >> (LOOK - length - size)) & ((1 << size) - 1);
                let negative = value < 1 << (size - 1);
                let value = value - if negative { (1 << size) - 1 } else { 0 };
                *place = (value as i16, zeros as u8, (length + size) as u8);
            }
        }
        Ok(table)
    }

    /// The next symbol; at least 17 bits must be held.
    #[inline(always)]
    pub(crate) fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, JpegError> {
        let entry = self.short[bits.peek(LOOK) as usize];
        if entry != 0 {
            bits.skip(u32::from(entry & 0xff));
            return Ok((entry >> 8) as u8);
        }
        self.long_symbol(bits)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits<'_>) -> Result<u8, JpegError> {
        let next = bits.peek(16);
        for length in LOOK + 1..=16 {
            if next < self.beyond[length as usize] {
                let at = (next >> (16 - length)) as i32 + self.offset[length as usize];
                bits.skip(length);
                return self.symbols.get(at as usize).copied().ok_or(Damage::HuffmanCode.into());
            }
        }
        Err(Damage::HuffmanCode.into())
    }

    /// The next coefficient if its code is short: its value and the zeros before it.
    #[inline(always)]
    pub(crate) fn short_number(&self, bits: &mut Bits<'_>) -> Option<(i16, usize)> {
        let (value, zeros, length) = self.number[bits.peek(LOOK) as usize];
        if length == 0 {
            return None;
        }
        bits.skip(u32::from(length));
        Some((value, usize::from(zeros)))
    }
}
