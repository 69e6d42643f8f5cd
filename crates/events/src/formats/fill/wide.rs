//! Records decoded by AVX-512, sixteen at once, whatever their layout.
//!
//! A permutation picks the bytes of sixteen words out of 16 W bytes, once for the times and once for the addresses;
//! a shift and a mask pick each field out of them.

use std::arch::x86_64::*;

use super::layout::{EventIf, Field, Layout, NONE};
use super::records::Records;
use super::room::Room;

/// Records decoded at once.
pub(super) const GROUP: usize = 16;

/// Which bytes of two registers, which hold a group's first and last 64 bytes, make the sixteen words of these bytes of
/// a record; and which bytes of the words there are.
const fn pick(width: usize, bytes: [usize; 4]) -> ([u8; 64], u64) {
    assert!(4 <= width && width <= 8, "a group has to fill one register and fit in two");
    let (mut from, mut there) = ([0; 64], 0);
    let mut i = 0;
    while i < 64 {
        let byte = bytes[i % 4];
        if byte != NONE {
            let at = i / 4 * width + byte;
            from[i] = if at < 64 { at } else { at + 128 - GROUP * width } as u8;
            there |= 1 << i;
        }
        i += 1;
    }
    (from, there)
}

/// The permutations for a kind of record.
struct Pick<const W: usize, R>(std::marker::PhantomData<R>);

impl<const W: usize, R: Records<W>> Pick<W, R> {
    const TIME: ([u8; 64], u64) = pick(W, R::LAYOUT.time);
    const ADDRESS: ([u8; 64], u64) = pick(W, R::LAYOUT.address);
}

/// The bits of a field, of each word.
#[target_feature(enable = "avx512f")]
fn bits(words: __m512i, field: Field) -> __m512i {
    let moved = _mm512_srlv_epi32(words, _mm512_set1_epi32(field.from as i32));
    _mm512_and_si512(moved, _mm512_set1_epi32(field.mask() as i32))
}

/// Writes a group's records to places `at` and after, `earlier` added to their times, and says how many of them are
/// events up to the first that is none.
///
/// # Panics
/// If the room has no place for them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi")]
pub(super) fn group<const W: usize, R: Records<W>>(
    records: &[[u8; W]; GROUP],
    earlier: i64,
    room: &mut Room<'_>,
    at: usize,
) -> usize {
    const { assert!(W >= 4 && W <= 8) };
    let Layout { t, x, y, p, event, .. } = R::LAYOUT;
    let (from, length) = (records.as_ptr().cast::<u8>(), GROUP * W);
    // SAFETY: the first and the last 64 bytes of a group, which has at least as many.
    let (first, last) =
        unsafe { (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(length - 64).cast())) };
    let words = |(bytes, there): ([u8; 64], u64)| {
        // SAFETY: 64 bytes are read from an array of as many.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        _mm512_maskz_permutex2var_epi8(there, first, bytes, last)
    };
    let address = words(Pick::<W, R>::ADDRESS);
    let equal = |mask: u32, value: u32| {
        let marks = _mm512_and_si512(address, _mm512_set1_epi32(mask as i32));
        _mm512_cmpeq_epi32_mask(marks, _mm512_set1_epi32(value as i32))
    };
    let events = match event {
        EventIf::Always => u16::MAX,
        EventIf::Equal(mask, value) => equal(mask, value),
        EventIf::NotEqual(mask, value) => !equal(mask, value),
    };
    let time = bits(words(Pick::<W, R>::TIME), t);
    let earlier = _mm512_set1_epi64(earlier);
    let low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(time));
    let high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64::<1>(time));
    let part = room.part(at, GROUP);
    // SAFETY: the part has a group's places in each column: sixteen of 8, 2, 2 and 1 bytes.
    unsafe {
        _mm512_storeu_si512(part.t.as_mut_ptr().cast(), _mm512_add_epi64(low, earlier));
        _mm512_storeu_si512(part.t.as_mut_ptr().add(8).cast(), _mm512_add_epi64(high, earlier));
        _mm256_storeu_si256(part.x.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(bits(address, x)));
        _mm256_storeu_si256(part.y.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(bits(address, y)));
        _mm_storeu_si128(part.p.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(bits(address, p)));
    }
    events.trailing_ones() as usize
}
