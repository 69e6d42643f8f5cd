//! Colour conversion from components to red, green and blue.

use crate::header::Colours;
use crate::simd::with_avx2;

/// Writes a row of pixels from the rows of its components.
pub(crate) fn write_row(colours: Colours, lines: &[Vec<u8>; 4], out: &mut [u8]) {
    let (pixels, _) = out.as_chunks_mut::<3>();
    let [first, second, third, black] = lines;
    match colours {
        Colours::Grey => pixels.iter_mut().zip(first).for_each(|(pixel, &grey)| *pixel = [grey; 3]),
        Colours::Rgb => {
            let components = first.iter().zip(second).zip(third);
            pixels.iter_mut().zip(components).for_each(|(pixel, ((&r, &g), &b))| *pixel = [r, g, b]);
        }
        Colours::YCbCr => ycc_to_rgb([first, second, third], pixels),
        Colours::Cmyk => {
            let components = first.iter().zip(second).zip(third).zip(black);
            for (pixel, (((&c, &m), &y), &k)) in pixels.iter_mut().zip(components) {
                *pixel = inked([c, m, y], k);
            }
        }
        Colours::Ycck => {
            ycc_to_rgb([first, second, third], pixels);
            for (pixel, &k) in pixels.iter_mut().zip(black) {
                *pixel = inked(pixel.map(|level| 255 - level), k);
            }
        }
    }
}

/// CMYK, inverted as Adobe's programs store it, converted by Pillow's rule.
fn inked(colour: [u8; 3], black: u8) -> [u8; 3] {
    let paper = i32::from(black);
    colour.map(|level| {
        let product = (255 - i32::from(level)) * paper + 128;
        let ink = ((product >> 8) + product) >> 8;
        (paper - ink).clamp(0, 255) as u8
    })
}

with_avx2! {
    /// Writes a row of pixels from luma and the two chroma components.
    fn ycc_to_rgb(lines: [&[u8]; 3], out: &mut [[u8; 3]]) = ycc_to_rgb_any;
}

#[inline(always)]
fn ycc_to_rgb_any([y, cb, cr]: [&[u8]; 3], out: &mut [[u8; 3]]) {
    for (((pixel, &y), &cb), &cr) in out.iter_mut().zip(y).zip(cb).zip(cr) {
        *pixel = rgb_of_ycc(y, cb, cr);
    }
}

/// JFIF's conversion of one pixel, in units of 2^-16 as in libjpeg.
#[inline(always)]
fn rgb_of_ycc(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((HALF - 22_554 * cb - 46_802 * cr) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|level| level.clamp(0, 255) as u8)
}
