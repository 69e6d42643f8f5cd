//! Hue shift through Pillow's 8-bit HSV.

use crate::image::Image;

/// Converts to Pillow's HSV (hue, saturation and value of 0 to 255 each), adds `factor` of a circle to the
/// hue, and converts back, like torchvision's `adjust_hue`.
pub(super) fn shift(image: &mut Image, factor: f64) {
    if image.channels != 3 {
        return;
    }
    // Truncated towards 0, and wrapped at 256 although the circle has 255 steps, as in torchvision.
    let added = (factor * 255.0) as i32 as u8;
    for pixel in image.pixels.as_chunks_mut::<3>().0 {
        let [hue, saturation, value] = to_hsv(*pixel);
        *pixel = from_hsv([hue.wrapping_add(added), saturation, value]);
    }
}

// Both directions mix single and double precision as Pillow's C code does, since rounding affects the levels.

fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let [rc, gc, bc] = [r, g, b].map(|value| f32::from(most - value) / range);
    let sixths = if r == most {
        bc - gc
    } else if g == most {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let hue = ((f64::from(sixths) / 6.0 + 1.0) % 1.0) as f32;
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

fn from_hsv([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let place = f64::from(hue) * 6.0 / 255.0;
    let sector = place.floor();
    let within = (place - sector) as f32;
    let saturation = (f64::from(saturation) / 255.0) as f32;
    let full = f64::from(value);
    let part = |share: f64| (full * (1.0 - share)).round() as u8;
    let p = part(saturation.into());
    let q = part((saturation * within).into());
    let t = part(f64::from(saturation) * (1.0 - f64::from(within)));
    match sector as u8 % 6 {
        0 => [value, t, p],
        1 => [q, value, p],
        2 => [p, value, t],
        3 => [p, q, value],
        4 => [t, p, value],
        _ => [value, p, q],
    }
}
