//! The bits of a scan.

/// Reads bits in order. Past the end of the scan it gives zeros, which [`Bits::overrun`] reports.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the highest down; those beyond `count` are 0 or belong to the bytes that follow.
    held: u64,
    count: u32,
    /// Number of bits in `count` that are not from the file.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, held: 0, count: 0, padding: 0 }
    }

    /// Ensures that at least 32 bits are held.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(eight) = self.bytes.get(self.at..self.at + 8) {
            let word = u64::from_be_bytes(eight.try_into().expect("eight bytes"));
            // a byte of 255 begins a marker, or is data if followed by 0
            let inverted = !word;
            let has_255 = inverted.wrapping_sub(0x0101_0101_0101_0101) & !inverted & 0x8080_8080_8080_8080;
            if has_255 == 0 {
                let taken = (63 - self.count) >> 3;
                let bits = taken * 8;
                self.held |= (word >> (64 - bits)) << (64 - bits) >> self.count;
                self.at += taken as usize;
                self.count += bits;
                return;
            }
        }
        self.refill_slowly();
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), _) | (None, _) => {
                    self.padding += 8;
                    0
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next `n` bits, 1 to 32, without consuming them.
    #[inline(always)]
    pub(crate) fn peek(&self, n: u32) -> u32 {
        (self.held >> (64 - n)) as u32
    }

    /// Consumes `n` bits, at most as many as are held.
    #[inline(always)]
    pub(crate) fn skip(&mut self, n: u32) {
        self.held <<= n;
        self.count -= n;
    }

    /// The next `n` bits, 0 to 16.
    #[inline(always)]
    pub(crate) fn take(&mut self, n: u32) -> u32 {
        let bits = ((self.held >> 32) >> (32 - n)) as u32;
        self.skip(n);
        bits
    }

    /// The next bit, from the file.
    #[inline(always)]
    pub(crate) fn bit(&mut self) -> bool {
        self.refill();
        self.take(1) == 1
    }

    /// A number of `n` bits, 0 to 16; the lower half of its range encodes negative numbers (T.81, F.2.2.1).
    #[inline(always)]
    pub(crate) fn signed(&mut self, n: u32) -> i32 {
        let bits = self.take(n) as i32;
        let negative = bits < (1 << n) >> 1;
        bits - if negative { (1 << n) - 1 } else { 0 }
    }

    /// Whether bits beyond the end of the file were consumed.
    pub(crate) fn overrun(&self) -> bool {
        self.padding > self.count
    }

    /// The offset at which reading continues, after the bits held are discarded.
    pub(crate) fn end(&self) -> usize {
        self.at
    }
}
