//! Vector instructions for the one loop that benefits from them, in one binary for all processors.

/// Number of events whose pixels are computed at once: enough to fill vectors, few enough to stay in the L1
/// cache.
pub(crate) const BLOCK: usize = 128;

/// Pixels of up to [`BLOCK`] events: `p * stride + y * width + x`, modulo 2^32.
pub(crate) fn pixels(x: &[u16], y: &[u16], p: &[u8], width: u32, stride: u32, out: &mut [u32; BLOCK]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2(x: &[u16], y: &[u16], p: &[u8], width: u32, stride: u32, out: &mut [u32; BLOCK]) {
            any(x, y, p, width, stride, out);
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just checked.
            return unsafe { avx2(x, y, p, width, stride, out) };
        }
    }
    any(x, y, p, width, stride, out);
}

#[inline(always)]
fn any(x: &[u16], y: &[u16], p: &[u8], width: u32, stride: u32, out: &mut [u32; BLOCK]) {
    for (((out, &x), &y), &p) in out.iter_mut().zip(x).zip(y).zip(p) {
        let row = u32::from(y).wrapping_mul(width).wrapping_add(u32::from(x));
        *out = u32::from(p).wrapping_mul(stride).wrapping_add(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_finds_the_same_pixels() {
        let column = |factor: usize, below: usize| (0..BLOCK).map(move |i| i * factor % below);
        let x: Vec<u16> = column(7919, 640).map(|v| v as u16).collect();
        let y: Vec<u16> = column(104_729, 480).map(|v| v as u16).collect();
        let p: Vec<u8> = column(3, 2).map(|v| v as u8).collect();
        for n in [0, 1, 7, 31, 100, BLOCK] {
            let (mut wide, mut plain) = ([9; BLOCK], [9; BLOCK]);
            pixels(&x[..n], &y[..n], &p[..n], 640, 640 * 480, &mut wide);
            any(&x[..n], &y[..n], &p[..n], 640, 640 * 480, &mut plain);
            assert_eq!(wide, plain);
            for i in 0..n {
                let expected = (usize::from(p[i]) * 480 + usize::from(y[i])) * 640 + usize::from(x[i]);
                assert_eq!(wide[i] as usize, expected);
            }
        }
    }
}
