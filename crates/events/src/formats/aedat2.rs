//! AEDAT 2.0 of jAER: DVS128 (CIFAR10-DVS too) and DAVIS cameras.
//!
//! Lines that begin with `#`, then 8 bytes an event, most significant first: an address of 32 bits and a time of 32
//! bits in us. DVS128's address is `y` in bits 8 to 14, `x` in bits 1 to 7, polarity in bit 0; bit 15 marks a special
//! event. A DAVIS' is `y` in bits 22 to 30, `x` in bits 12 to 21, polarity in bit 11; bit 31 marks a sample of its
//! frames (APS) or IMU, bit 10 a special event. Samples and special events are passed over.

use super::cursor::{header_lines, key_value};
use super::decoded::Decoded;
use super::fill;
use crate::stream::SensorSize;

const RECORD: usize = 8;
const DVS128: SensorSize = SensorSize { width: 128, height: 128 };
const SPECIAL_DVS128: u32 = 0x8000;
/// Samples, and special events.
const SPECIAL_DAVIS: u32 = 0x8000_0400;

fn split(record: &[u8; RECORD]) -> (u32, i64) {
    let [a, b, c, d, e, f, g, h] = *record;
    (u32::from_be_bytes([a, b, c, d]), i64::from(u32::from_be_bytes([e, f, g, h])))
}

fn dvs128(record: &[u8; RECORD]) -> fill::Raw {
    let (address, t) = split(record);
    (t, ((address >> 1) & 0x7f) as u16, ((address >> 8) & 0x7f) as u16, (address & 1) as u8)
}

fn davis(record: &[u8; RECORD]) -> fill::Raw {
    let (address, t) = split(record);
    (t, ((address >> 12) & 0x3ff) as u16, ((address >> 22) & 0x1ff) as u16, ((address >> 11) & 1) as u8)
}

/// The DAVIS that a chip's name says.
fn davis_size(chip: &str) -> Option<SensorSize> {
    let chip = chip.to_ascii_lowercase();
    let size = |width, height| Some(SensorSize { width, height });
    if !chip.contains("davis") && !chip.contains("sbret") {
        None
    } else if chip.contains("346") {
        size(346, 260)
    } else if chip.contains("640") {
        size(640, 480)
    } else if chip.contains("128") {
        size(128, 128)
    } else if chip.contains("208") {
        size(208, 192)
    } else {
        size(240, 180)
    }
}

pub(super) fn decode(bytes: &[u8], sensor: Option<SensorSize>, mut decoded: Decoded) -> Decoded {
    let mut start = 0;
    let mut chip = None;
    for (line, end) in header_lines(bytes, b'#') {
        start = end;
        if let Some((key, value)) = key_value(line).filter(|(key, _)| !key.starts_with('<')) {
            if key == "AEChip" {
                chip = davis_size(&value);
            }
            decoded.metadata.push((key, value));
        }
        if line.to_ascii_lowercase().contains("end of ascii header") {
            break;
        }
    }
    // Recordings that were cut out of larger ones may have lost the chip's name.
    let davis_sensor =
        chip.or(sensor.filter(|sensor| sensor.width > DVS128.width || sensor.height > DVS128.height));
    let (records, rest) = bytes[start..].as_chunks::<RECORD>();
    match davis_sensor {
        Some(sensor) => {
            decoded.sensor = Some(sensor);
            fill::records(&mut decoded, records, |record| split(record).0 & SPECIAL_DAVIS == 0, davis);
        }
        None => {
            decoded.sensor = Some(DVS128);
            fill::records(&mut decoded, records, |record| split(record).0 & SPECIAL_DVS128 == 0, dvs128);
        }
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
