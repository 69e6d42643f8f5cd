//! jAER's AEDAT 1.0 and 2.0: DVS128 (including CIFAR10-DVS), DAVIS cameras and DVS640.
//!
//! Lines that begin with `#`, then records, most significant byte first: an address and a time of 32 bits in
//! us. In AEDAT 1.0 an address has 16 bits, in 2.0 it has 32.
//!
//! | camera | `y` | `x` | polarity | not a pixel event |
//! |---|---|---|---|---|
//! | DVS128 | bits 8 to 14 | bits 1 to 7 | bit 0 | bit 15: a special event |
//! | DAVIS | bits 22 to 30 | bits 12 to 21 | bit 11 | bit 31: a sample of its frames (APS) or IMU; bit 10: a special event |
//! | DVS640 | bits 11 to 20 | bits 1 to 10 | bit 0 | |
//!
//! Samples and special events are skipped and counted. The camera is given by [`ReadOptions::camera`], else
//! by the header's `AEChip` or `HardwareInterface`; many files have neither. In that case, it is determined
//! from the addresses if they are unambiguous: those of a DVS128 have no bits above 15, events of a DAVIS
//! none below 11. Otherwise, the camera must be given.
//!
//! [`ReadOptions::camera`]: super::ReadOptions::camera

use super::ReadOptions;
use super::camera::Camera;
use super::cursor::{header_lines, key_value};
use super::decoded::Decoded;
use super::event_format::EventFormat;
use super::fill::{self, Raw, Records, bits};
use crate::sensor::SensorSize;

const RECORD: usize = 8;
const RECORD_1: usize = 6;

/// AEDAT 1.0.
#[derive(Debug)]
pub(super) struct Aedat1;

impl EventFormat for Aedat1 {
    fn title(&self) -> &str {
        "AEDAT 1.0"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"#!AER-DAT1")
    }

    fn endings(&self) -> &[&str] {
        &["aedat"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(RECORD_1)
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode_1(bytes, options.camera, decoded)
    }
}

/// AEDAT 2.0.
#[derive(Debug)]
pub(super) struct Aedat2;

impl EventFormat for Aedat2 {
    fn title(&self) -> &str {
        "AEDAT 2.0"
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"#!AER-DAT2")
    }

    fn endings(&self) -> &[&str] {
        &["aedat"]
    }

    fn record_size(&self) -> Option<usize> {
        Some(RECORD)
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, options.camera, options.sensor, decoded)
    }
}

struct Dvs128;

impl Dvs128 {
    #[inline(always)]
    fn event_at(address: u32, time: u32) -> Raw {
        (time.into(), bits(address, 1, 7) as u16, bits(address, 8, 7) as u16, bits(address, 0, 1) as u8)
    }
}

impl Records<RECORD> for Dvs128 {
    #[inline(always)]
    fn event(record: &[u8; RECORD]) -> Raw {
        Dvs128::event_at(address(record), time(record))
    }

    #[inline(always)]
    fn is_event(record: &[u8; RECORD]) -> bool {
        address(record) & 0x8000 == 0
    }
}

/// The same for AEDAT 1.0.
impl Records<RECORD_1> for Dvs128 {
    #[inline(always)]
    fn event(&[a, b, c, d, e, f]: &[u8; RECORD_1]) -> Raw {
        Dvs128::event_at(u16::from_be_bytes([a, b]).into(), u32::from_be_bytes([c, d, e, f]))
    }

    #[inline(always)]
    fn is_event(record: &[u8; RECORD_1]) -> bool {
        record[0] & 0x80 == 0
    }
}

struct Davis;

/// The bits of a DAVIS address that mark a sample or a special event.
const DAVIS_OTHERS: u32 = 0x8000_0400;

impl Records<RECORD> for Davis {
    #[inline(always)]
    fn event(record: &[u8; RECORD]) -> Raw {
        let address = address(record);
        let (x, y) = (bits(address, 12, 10) as u16, bits(address, 22, 9) as u16);
        (time(record).into(), x, y, bits(address, 11, 1) as u8)
    }

    #[inline(always)]
    fn is_event(record: &[u8; RECORD]) -> bool {
        address(record) & DAVIS_OTHERS == 0
    }
}

struct Dvs640;

impl Records<RECORD> for Dvs640 {
    #[inline(always)]
    fn event(record: &[u8; RECORD]) -> Raw {
        let address = address(record);
        let (x, y) = (bits(address, 1, 10) as u16, bits(address, 11, 10) as u16);
        (time(record).into(), x, y, bits(address, 0, 1) as u8)
    }
}

/// The contents of a header.
#[derive(Default)]
struct Header {
    end: usize,
    lines: Vec<(String, String)>,
    /// Whether it was written by v2e, which has only the layouts of DAVIS and DVS640.
    is_of_v2e: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        let mut header = Header::default();
        for (line, end) in header_lines(bytes, b'#') {
            header.end = end;
            header.is_of_v2e |= line.contains("v2e");
            header.lines.extend(key_value(line).filter(|(key, _)| !key.starts_with('<')));
            if line.to_ascii_lowercase().contains("end of ascii header") {
                break;
            }
        }
        header
    }

    /// The camera named in the header.
    ///
    /// # Errors
    /// An unknown camera.
    fn camera(&self) -> Result<Option<Camera>, String> {
        let value =
            |key| self.lines.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        if let Some(chip) = value("AEChip").filter(|chip| !chip.is_empty()) {
            return match of_chip(chip) {
                Some(camera) => Ok(Some(camera)),
                None => Err(format!("the camera `{chip}` (AEChip) is not one that is known: {}", ask())),
            };
        }
        Ok(value("HardwareInterface").and_then(of_chip))
    }
}

fn ask() -> String {
    let names = Camera::ALL.map(Camera::name).join(", ");
    format!("give the one whose addresses it has (`camera`; `--camera`): {names}")
}

/// The camera for the name of a chip or an interface.
fn of_chip(name: &str) -> Option<Camera> {
    // Of a class path, the class name.
    let name = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    if name.contains("dvs128") || name.contains("tmpdiff128") {
        return Some(Camera::Dvs128);
    }
    if name.contains("dvs640") {
        return Some(Camera::Dvs640);
    }
    if name.contains("sbret") {
        return Some(Camera::Davis240);
    }
    if !name.contains("davis") {
        return None;
    }
    [
        ("346", Camera::Davis346),
        ("640", Camera::Davis640),
        ("240", Camera::Davis240),
        ("208", Camera::Davis208),
        ("128", Camera::Davis128),
    ]
    .into_iter()
    .find(|(size, _)| name.contains(size))
    .map(|(_, camera)| camera)
}

#[inline(always)]
fn address(&[a, b, c, d, ..]: &[u8; RECORD]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

#[inline(always)]
fn time(&[.., a, b, c, d]: &[u8; RECORD]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// Which bits the addresses of the records use.
#[derive(Default)]
struct Addresses {
    /// Number with bits above 15, which a DVS128 does not have; a special event's sign may extend into them.
    above_15: usize,
    /// Number with bits above 20, which a DVS640 does not have.
    above_20: usize,
    /// Number with bits below 10 in pixel events, if the camera is a DAVIS, which has none.
    below_10: usize,
}

impl Addresses {
    fn of(records: &[[u8; RECORD]]) -> Self {
        let mut found = Addresses::default();
        for record in records {
            let address = address(record);
            found.above_15 += usize::from(address >> 16 != 0 && address >> 15 != 0x1_ffff);
            found.above_20 += usize::from(address >> 21 != 0);
            found.below_10 += usize::from(address & DAVIS_OTHERS == 0 && address & 0x3ff != 0);
        }
        found
    }

    /// The layout that fits all of these addresses, if there is exactly one.
    fn camera(&self, is_of_v2e: bool) -> Option<Camera> {
        match self {
            Addresses { above_15: 0, .. } if !is_of_v2e => Some(Camera::Dvs128),
            Addresses { above_15: 1.., below_10: 0, .. } => Some(Camera::Davis346),
            Addresses { above_15: 1.., above_20: 0, below_10: 1.. } => Some(Camera::Dvs640),
            _ => None,
        }
    }
}

pub(super) fn decode(
    bytes: &[u8],
    camera: Option<Camera>,
    sensor: Option<SensorSize>,
    mut decoded: Decoded,
) -> Decoded {
    let header = Header::read(bytes);
    let start = header.end;
    let (records, rest) = bytes[start..].as_chunks::<RECORD>();
    let stated = match camera.map_or_else(|| header.camera(), |camera| Ok(Some(camera))) {
        Ok(stated) => stated,
        Err(problem) => {
            decoded.refuse(start, problem);
            return decoded;
        }
    };
    let told = stated.or_else(|| {
        let told = Addresses::of(records).camera(header.is_of_v2e);
        // The given size must fit: not that of a DVS128 and more.
        let fits = |camera: &Camera| match sensor {
            Some(SensorSize { width, height }) => *camera != Camera::Dvs128 || width <= 128 && height <= 128,
            None => true,
        };
        told.filter(fits)
    });
    let Some(camera) = told else {
        let problem = format!(
            "the file does not say which camera recorded it (no AEChip), and its addresses do not tell: {}",
            ask()
        );
        decoded.refuse(start, problem);
        return decoded;
    };
    decoded.metadata.extend(header.lines);
    match camera {
        Camera::Dvs128 => _ = fill::records(&mut decoded, records, Dvs128),
        Camera::Dvs640 => _ = fill::records(&mut decoded, records, Dvs640),
        _ => _ = fill::records(&mut decoded, records, Davis),
    }
    let davis_size = |decoded: &mut Decoded| {
        let (x, y) = decoded.largest();
        [Camera::Davis240, Camera::Davis346, Camera::Davis640]
            .map(Camera::sensor)
            .into_iter()
            .find(|sensor| x < sensor.width && y < sensor.height)
            .unwrap_or(Camera::Davis640.sensor())
    };
    // The addresses determine the layout; of the cameras with that layout, the smallest that contains all
    // events is used.
    let is_davis = !matches!(camera, Camera::Dvs128 | Camera::Dvs640);
    let size = if stated.is_none() && is_davis { davis_size(&mut decoded) } else { camera.sensor() };
    decoded.sensor = Some(size);
    if decoded.seek.is_none() && decoded.t.len() < records.len() {
        tell(&mut decoded, records, camera);
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}

/// Counts the records that are not pixel events.
fn tell(decoded: &mut Decoded, records: &[[u8; RECORD]], camera: Camera) {
    let (mut special, mut frames, mut imu) = (0, 0, 0);
    for address in records.iter().map(address) {
        match camera {
            Camera::Dvs128 => special += u64::from(address & 0x8000 != 0),
            _ if address >> 31 == 0 => special += u64::from(address & 0x400 != 0),
            _ if address & 0xc00 == 0xc00 => imu += 1,
            _ => frames += 1,
        }
    }
    decoded.pass_over("special events", special);
    decoded.pass_over("frame samples (APS)", frames);
    decoded.pass_over("IMU samples", imu);
}

/// AEDAT 1.0.
pub(super) fn decode_1(bytes: &[u8], camera: Option<Camera>, mut decoded: Decoded) -> Decoded {
    let header = Header::read(bytes);
    let start = header.end;
    match camera.map_or_else(|| header.camera(), |camera| Ok(Some(camera))) {
        Ok(None | Some(Camera::Dvs128)) => {}
        Ok(Some(other)) => {
            let problem = format!(
                "the addresses of AEDAT 1.0 have 16 bits, as a DVS128's have, and not a {}'s: leave `camera` out",
                other.name()
            );
            decoded.refuse(start, problem);
            return decoded;
        }
        Err(problem) => {
            decoded.refuse(start, problem);
            return decoded;
        }
    }
    decoded.sensor = Some(Camera::Dvs128.sensor());
    decoded.metadata.extend(header.lines);
    let (records, rest) = bytes[start..].as_chunks::<RECORD_1>();
    fill::records(&mut decoded, records, Dvs128);
    if decoded.seek.is_none() {
        let special = (records.len() - decoded.t.len()) as u64;
        decoded.pass_over("special events", special);
    }
    decoded.unwrap_time(32);
    if !rest.is_empty() {
        let problem = format!("the last event is cut: {} of {RECORD_1} bytes", rest.len());
        decoded.stop(bytes.len() - rest.len(), problem);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_told_by_the_names_that_jaer_writes() {
        for (name, camera) in [
            ("ch.unizh.ini.jaer.chip.retina.DVS128", Some(Camera::Dvs128)),
            ("DVS128-V1 0298", Some(Camera::Dvs128)),
            ("ch.unizh.ini.jaer.chip.retina.DVS640", Some(Camera::Dvs640)),
            ("eu.seebetter.ini.chips.davis.Davis346blue", Some(Camera::Davis346)),
            ("eu.seebetter.ini.chips.davis.DAVIS240C", Some(Camera::Davis240)),
            ("eu.seebetter.ini.chips.davis.Davis640", Some(Camera::Davis640)),
            ("eu.seebetter.ini.chips.davis.Davis208PixelParade", Some(Camera::Davis208)),
            ("eu.seebetter.ini.chips.sbret10.SBret10", Some(Camera::Davis240)),
            // The package says davis, without a size.
            ("eu.seebetter.ini.chips.davis.CDAVIS", None),
            ("ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c", None),
        ] {
            assert_eq!(of_chip(name), camera, "{name}");
        }
    }

    #[test]
    fn addresses_tell_the_camera_where_they_are_certain() {
        let records = |addresses: &[u32]| -> Vec<[u8; RECORD]> {
            let record = |address: &u32| {
                let [a, b, c, d] = address.to_be_bytes();
                [a, b, c, d, 0, 0, 0, 0]
            };
            addresses.iter().map(record).collect()
        };
        let davis = |x: u32, y: u32| (y << 22) | (x << 12) | (1 << 11);
        let dvs640 = |x: u32, y: u32| (y << 11) | (x << 1) | 1;
        let camera = |addresses: &[u32], is_of_v2e| Addresses::of(&records(addresses)).camera(is_of_v2e);
        assert_eq!(camera(&[0x7fff, 0x8001, 0xffff_8001], false), Some(Camera::Dvs128));
        assert_eq!(camera(&[davis(300, 200), davis(0, 0), 0x8000_0123], false), Some(Camera::Davis346));
        assert_eq!(camera(&[dvs640(639, 479), dvs640(1, 2)], true), Some(Camera::Dvs640));
        // Both kinds of bits, or a writer that does not support DVS128.
        assert_eq!(camera(&[davis(300, 200), 0x7bff], false), None);
        assert_eq!(camera(&[0x7fff], true), None);
    }
}
