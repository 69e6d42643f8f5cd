//! Numbers as stored in files, of any type.

use half::f16;

/// The representation of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberType {
    class: Class,
    /// Size in bytes: 1 to 8; for floating point, 2, 4 or 8.
    size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Signed,
    Unsigned,
    Float,
}

impl NumberType {
    fn known(class: Class, size: usize, big_endian: bool) -> Option<Self> {
        let known = match class {
            Class::Signed | Class::Unsigned => (1..=8).contains(&size),
            Class::Float => matches!(size, 2 | 4 | 8),
        };
        known.then_some(NumberType { class, size, big_endian })
    }

    /// The type for a NumPy type string such as `<i8`.
    pub(crate) fn of_numpy(text: &str) -> Option<Self> {
        let (big_endian, rest) = match text.as_bytes().first()? {
            b'<' | b'|' | b'=' => (false, &text[1..]),
            b'>' => (true, &text[1..]),
            _ => (false, text),
        };
        let class = match rest.as_bytes().first()? {
            b'i' => Class::Signed,
            b'u' | b'b' => Class::Unsigned,
            b'f' => Class::Float,
            _ => return None,
        };
        NumberType::known(class, rest.get(1..)?.parse().ok()?, big_endian)
    }

    /// The type of a MATLAB array's numbers.
    pub(crate) fn of_matlab(kind: tks_data::parse::mat::MatNumberKind) -> Self {
        let class = match kind {
            _ if kind.float => Class::Float,
            _ if kind.signed => Class::Signed,
            _ => Class::Unsigned,
        };
        NumberType { class, size: kind.size, big_endian: false }
    }

    /// The type of an HDF5 data set's elements; for an enumeration (h5py's booleans), that of its numbers.
    #[cfg(feature = "hdf5")]
    pub(crate) fn of_hdf5(kind: &hdf5_reader::Datatype) -> Option<Self> {
        use hdf5_reader::{ByteOrder, Datatype};
        let (class, size, order) = match kind {
            Datatype::FixedPoint { size, signed: true, byte_order } => (Class::Signed, *size, byte_order),
            Datatype::FixedPoint { size, signed: false, byte_order } => (Class::Unsigned, *size, byte_order),
            Datatype::Bitfield { size, byte_order } => (Class::Unsigned, *size, byte_order),
            Datatype::FloatingPoint { size, byte_order } => (Class::Float, *size, byte_order),
            Datatype::Enum { base, .. } => return NumberType::of_hdf5(base),
            _ => return None,
        };
        NumberType::known(class, size.into(), *order == ByteOrder::BigEndian)
    }

    /// Size of a number in bytes.
    pub(crate) fn size(self) -> usize {
        self.size
    }

    /// Whether it is a floating-point type.
    pub(crate) fn is_float(self) -> bool {
        self.class == Class::Float
    }

    /// The first bytes, least significant first.
    #[inline(always)]
    fn little(self, bytes: &[u8]) -> Option<[u8; 8]> {
        let mut little = [0; 8];
        let part = &mut little[..self.size];
        part.copy_from_slice(bytes.get(..self.size)?);
        if self.big_endian {
            part.reverse();
        }
        Some(little)
    }

    fn signed(self, little: [u8; 8]) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        (i64::from_le_bytes(little) << unused) >> unused
    }

    fn float(self, [a, b, c, d, rest @ ..]: [u8; 8]) -> f64 {
        match self.size {
            2 => f16::from_le_bytes([a, b]).to_f64(),
            4 => f32::from_le_bytes([a, b, c, d]).into(),
            _ => {
                let [e, f, g, h] = rest;
                f64::from_le_bytes([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The number at the start of `bytes`, rounded to an integer; `None` if it is truncated or too large.
    #[inline(always)]
    pub(crate) fn whole(self, bytes: &[u8]) -> Option<i64> {
        let little = self.little(bytes)?;
        match self.class {
            Class::Signed => Some(self.signed(little)),
            Class::Unsigned => i64::try_from(u64::from_le_bytes(little)).ok(),
            Class::Float => rounded(self.float(little)),
        }
    }

    /// The number at the start of `bytes`; `None` if it is truncated. Integers above 2^53 lose their last
    /// digits.
    pub(crate) fn real(self, bytes: &[u8]) -> Option<f64> {
        let little = self.little(bytes)?;
        Some(match self.class {
            Class::Signed => self.signed(little) as f64,
            Class::Unsigned => u64::from_le_bytes(little) as f64,
            Class::Float => self.float(little),
        })
    }
}

/// The nearest integer; `None` if it does not fit in 64 bits.
pub(crate) fn rounded(value: f64) -> Option<i64> {
    (value.abs() < 9e18).then(|| value.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numpy(text: &str, bytes: &[u8]) -> (Option<i64>, Option<f64>) {
        let kind = NumberType::of_numpy(text).unwrap();
        (kind.whole(bytes), kind.real(bytes))
    }

    #[test]
    fn every_type_is_read_in_both_orders() {
        assert_eq!(numpy("<i2", &[0xfe, 0xff]), (Some(-2), Some(-2.0)));
        assert_eq!(numpy(">i2", &[0xff, 0xfe]), (Some(-2), Some(-2.0)));
        assert_eq!(numpy("|b1", &[1]), (Some(1), Some(1.0)));
        assert_eq!(numpy("u1", &[200]), (Some(200), Some(200.0)));
        assert_eq!(numpy(">u4", &[0, 0, 1, 2, 9]), (Some(258), Some(258.0)));
        assert_eq!(numpy("<u8", &[255; 8]), (None, Some(u64::MAX as f64)));
        assert_eq!(numpy("<f2", &f16::from_f32(1.5).to_le_bytes()), (Some(2), Some(1.5)));
        assert_eq!(numpy(">f4", &(-2.25f32).to_be_bytes()), (Some(-2), Some(-2.25)));
        assert_eq!(numpy("<f8", &1e300f64.to_le_bytes()), (None, Some(1e300)));
        assert_eq!(numpy("<f8", &f64::NAN.to_le_bytes()).0, None);
        assert_eq!(numpy("<i4", &[1, 2, 3]), (None, None));
    }

    #[test]
    fn what_is_no_number_has_no_type() {
        for text in ["", "<", "<U5", "<i9", "<f3", "|O", "<c8", "i", "<M8[us]"] {
            assert_eq!(NumberType::of_numpy(text), None, "{text}");
        }
    }
}
