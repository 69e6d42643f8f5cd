//! Decodes a JPEG file, whole or scaled, and writes it as a PPM image:
//! `cargo run --release -p tks-jpeg --example jpeg_to_ppm -- IN.jpg OUT.ppm [--scale 1|2|4|8]`

use std::error::Error;

use tks_jpeg::{DecodeRegion, Decoder};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (source, target, scale) = match arguments.as_slice() {
        [source, target] => (source, target, 1),
        [source, target, option, scale] if option == "--scale" => (source, target, scale.parse()?),
        _ => return Err("usage: jpeg_to_ppm IN.jpg OUT.ppm [--scale 1|2|4|8]".into()),
    };
    let file = std::fs::read(source).map_err(|error| format!("{source}: {error}"))?;
    let (mut decoder, mut pixels) = (Decoder::default(), Vec::new());
    let decoded = decoder
        .dimensions(&file)
        .and_then(|full| decoder.decode_region(&file, DecodeRegion::whole(full, scale), &mut pixels))
        .map_err(|error| format!("{source}: {error}"))?;
    let mut ppm = format!("P6\n{} {}\n255\n", decoded.width, decoded.height).into_bytes();
    ppm.append(&mut pixels);
    std::fs::write(target, ppm).map_err(|error| format!("{target}: {error}"))?;
    Ok(())
}
