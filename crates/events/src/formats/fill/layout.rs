//! What a record of fixed width keeps where: one description for every way of decoding it.

/// An event as decoders make it.
pub(in crate::formats) type Raw = (i64, u16, u16, u8);

/// Stands for a byte that is 0 and not in the record.
pub(in crate::formats) const NONE: usize = usize::MAX;

/// A record's two words, of time and of address, and what lies where in them.
#[derive(Debug, Clone, Copy)]
pub(in crate::formats) struct Layout {
    /// The record's bytes that make the word of time, least significant first.
    pub(in crate::formats) time: [usize; 4],
    /// Those that make the word of address.
    pub(in crate::formats) address: [usize; 4],
    /// Time, in the word of time.
    pub(in crate::formats) t: Field,
    /// Column, row and polarity, in the word of address.
    pub(in crate::formats) x: Field,
    pub(in crate::formats) y: Field,
    pub(in crate::formats) p: Field,
    /// Which records are events, as the word of address tells.
    pub(in crate::formats) event: EventIf,
}

/// When a record is an event: if the bits of the first number are those of the second.
#[derive(Debug, Clone, Copy)]
pub(in crate::formats) enum EventIf {
    Always,
    Equal(u32, u32),
    NotEqual(u32, u32),
}

/// Some bits of a word.
#[derive(Debug, Clone, Copy)]
pub(in crate::formats) struct Field {
    /// The lowest bit.
    pub(in crate::formats) from: u32,
    /// How many.
    pub(in crate::formats) bits: u32,
}

/// `bits` bits from bit `from` on.
pub(in crate::formats) const fn field(from: u32, bits: u32) -> Field {
    Field { from, bits }
}

impl Field {
    /// The bits, at the lower end.
    pub(super) const fn mask(self) -> u32 {
        u32::MAX >> (32 - self.bits)
    }

    #[inline(always)]
    fn of(self, word: u32) -> u32 {
        (word >> self.from) & self.mask()
    }
}

#[inline(always)]
fn word<const W: usize>(record: &[u8; W], bytes: [usize; 4]) -> u32 {
    let [a, b, c, d] = bytes;
    let four = |from: usize| [record[from], record[from + 1], record[from + 2], record[from + 3]];
    // Told apart when it is compiled: bytes side by side are one load, of which loops are made vectors.
    if b == a.wrapping_add(1) && c == a.wrapping_add(2) && d == a.wrapping_add(3) {
        u32::from_le_bytes(four(a))
    } else if b == a.wrapping_sub(1) && c == a.wrapping_sub(2) && d == a.wrapping_sub(3) {
        u32::from_be_bytes(four(d))
    } else {
        let byte = |at: usize| if at == NONE { 0 } else { u32::from(record[at]) };
        byte(a) | (byte(b) << 8) | (byte(c) << 16) | (byte(d) << 24)
    }
}

impl Layout {
    /// The record's event, if it is one.
    #[inline(always)]
    pub(super) fn decode<const W: usize>(&self, record: &[u8; W]) -> Raw {
        let address = word(record, self.address);
        let t = i64::from(self.t.of(word(record, self.time)));
        (t, self.x.of(address) as u16, self.y.of(address) as u16, self.p.of(address) as u8)
    }

    #[inline(always)]
    pub(super) fn is_event<const W: usize>(&self, record: &[u8; W]) -> bool {
        match self.event {
            EventIf::Always => true,
            EventIf::Equal(mask, value) => word(record, self.address) & mask == value,
            EventIf::NotEqual(mask, value) => word(record, self.address) & mask != value,
        }
    }
}
