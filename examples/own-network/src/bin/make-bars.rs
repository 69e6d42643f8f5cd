//! Writes recordings for the example: `cargo run --bin make-bars -- FOLDER` creates
//! `FOLDER/<part>/<class>/NN.bars`.
//!
//! A vertical bar moves to the right, or a horizontal one down: two classes that a single frame hardly
//! distinguishes.

use std::error::Error;
use std::path::Path;

/// Width and height of the sensor.
const SIZE: u16 = 16;

/// Number of recordings of each class, for training and testing.
const PARTS: [(&str, u32); 2] = [("train", 40), ("test", 10)];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder to write into")?;
    for (part, count) in PARTS {
        for (class, is_right) in [("down", false), ("right", true)] {
            let place = Path::new(&folder).join(part).join(class);
            std::fs::create_dir_all(&place)?;
            for number in 0..count {
                // Recordings of a class differ in the start position and speed of the bar.
                let bytes = recording(is_right, (number % 7) as u16, 800 + 37 * number);
                std::fs::write(place.join(format!("{number:02}.bars")), bytes)?;
            }
        }
    }
    println!("{folder}: {} recordings", PARTS.iter().map(|(_, count)| 2 * count).sum::<u32>());
    Ok(())
}

/// A file of the format in `src/format.rs`: a signature, width and height, then 8 bytes per event.
fn recording(is_right: bool, start: u16, step_us: u32) -> Vec<u8> {
    let mut bytes = b"BARS1\n".to_vec();
    bytes.extend(SIZE.to_le_bytes());
    bytes.extend(SIZE.to_le_bytes());
    for step in 0..u32::from(SIZE) {
        let place = (start + step as u16) % SIZE;
        for along in 0..SIZE {
            let (x, y) = if is_right { (place, along) } else { (along, place) };
            bytes.extend((step * step_us).to_le_bytes());
            bytes.extend(x.to_le_bytes());
            bytes.extend([y as u8, u8::from(step % 2 == 0)]);
        }
    }
    bytes
}
