//! AEDAT 2.0 of jAER: DVS128 (CIFAR10-DVS too) and DAVIS cameras.
//!
//! Lines that begin with `#`, then 8 bytes an event, most significant first: an address of 32 bits and a time of 32
//! bits in us. DVS128's address is `y` in bits 8 to 14, `x` in bits 1 to 7, polarity in bit 0; bit 15 marks a special
//! event. A DAVIS' is `y` in bits 22 to 30, `x` in bits 12 to 21, polarity in bit 11; bit 31 marks a sample of its
//! frames (APS) or IMU, bit 10 a special event. Samples and special events are passed over.

use super::cursor::{header_lines, key_value};
use super::decoded::Decoded;
use super::fill::{self, EventIf, Layout, Records, field};
use crate::stream::SensorSize;

const RECORD: usize = 8;
const DVS128: SensorSize = SensorSize { width: 128, height: 128 };

#[derive(Clone, Copy)]
struct Dvs128;

impl Records<RECORD> for Dvs128 {
    const LAYOUT: Layout = Layout {
        time: [7, 6, 5, 4],
        address: [3, 2, 1, 0],
        t: field(0, 32),
        x: field(1, 7),
        y: field(8, 7),
        p: field(0, 1),
        event: EventIf::Equal(0x8000, 0),
    };

    fn earlier(&self) -> Option<i64> {
        Some(0)
    }
}

#[derive(Clone, Copy)]
struct Davis;

impl Records<RECORD> for Davis {
    const LAYOUT: Layout = Layout {
        x: field(12, 10),
        y: field(22, 9),
        p: field(11, 1),
        // Neither a sample nor a special event.
        event: EventIf::Equal(0x8000_0400, 0),
        ..Dvs128::LAYOUT
    };

    fn earlier(&self) -> Option<i64> {
        Some(0)
    }
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
            fill::records(&mut decoded, records, Davis);
        }
        None => {
            decoded.sensor = Some(DVS128);
            fill::records(&mut decoded, records, Dvs128);
        }
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}
