//! A recording format: `BARS1` and a line break, width and height of the sensor in 16 bits each, then 8 bytes
//! per event: the time in us in 32 bits, the column in 16, the row and the polarity in 8. All numbers are
//! little-endian.

use tks_events::SensorSize;
use tks_events::formats::{Decoded, EventFormat, ReadOptions};

const MARK: &[u8] = b"BARS1\n";

/// The format's name in a configuration is the one under which it is registered.
#[derive(Debug)]
pub struct Bars;

impl EventFormat for Bars {
    fn title(&self) -> &str {
        "bars"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(MARK)
    }

    fn endings(&self) -> &[&str] {
        &["bars"]
    }

    fn decode(&self, bytes: &[u8], _: &ReadOptions, mut decoded: Decoded) -> Decoded {
        let header = MARK.len() + 4;
        let Some(&[w0, w1, h0, h1]) = bytes.get(MARK.len()..header) else {
            decoded.refuse(bytes.len(), "the file ends before the size of its sensor");
            return decoded;
        };
        let [width, height] = [[w0, w1], [h0, h1]].map(u16::from_le_bytes);
        decoded.set_sensor(SensorSize { width, height });
        let (records, rest) = bytes[header..].as_chunks::<8>();
        decoded.reserve(records.len());
        for (i, &[t0, t1, t2, t3, x0, x1, y, p]) in records.iter().enumerate() {
            let (place, t) = (header + 8 * i, i64::from(u32::from_le_bytes([t0, t1, t2, t3])));
            match p {
                0 | 1 => decoded.push_at(place, t, u16::from_le_bytes([x0, x1]), y.into(), p == 1),
                _ => decoded.leave_out(place, || format!("the polarity is {p}, neither 0 nor 1")),
            }
        }
        if !rest.is_empty() {
            decoded.stop(bytes.len() - rest.len(), "the last event is cut");
        }
        decoded
    }
}
