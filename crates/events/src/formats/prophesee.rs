//! The header of Prophesee's files: lines that begin with `%`.

use super::cursor::{header_lines, key_value};
use super::format::Format;
use super::text;
use crate::sensor::SensorSize;

/// The contents of a header.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) lines: Vec<(String, String)>,
    /// The position of the data.
    pub(super) end: usize,
}

/// The keys of RAW files, none of which occur in DAT files.
const RAW_KEYS: [&str; 11] = [
    "evt",
    "format",
    "system_ID",
    "integrator_name",
    "plugin_name",
    "camera_integrator_name",
    "plugin_integrator_name",
    "sensor_generation",
    "sensor_name",
    "serial_number",
    "firmware_version",
];

/// The words recorded by a Prophesee camera system, by the number in `system_ID`, if they are always the same
/// when the header does not name them, and the size of the sensor. As OpenEB reads old files.
const SYSTEMS: [(u32, Option<Format>, u16, u16); 28] = [
    (0x15, Some(Format::Evt2), 640, 480),
    (0x17, Some(Format::Evt2), 640, 480),
    (0x19, Some(Format::Evt2), 640, 480),
    (0x1a, Some(Format::Evt2), 1280, 720),
    (0x1c, Some(Format::Evt2), 640, 480),
    (0x1d, Some(Format::Evt2), 640, 480),
    (0x1e, Some(Format::Evt3), 1280, 720),
    (0x1f, Some(Format::Evt2), 1280, 720),
    (0x21, Some(Format::Evt2), 640, 480),
    (0x22, Some(Format::Evt2), 640, 480),
    (0x23, Some(Format::Evt2), 640, 480),
    (0x27, Some(Format::Evt2), 1280, 720),
    (0x28, Some(Format::Evt3), 640, 480),
    (0x29, Some(Format::Evt2), 640, 480),
    (0x2e, Some(Format::Evt3), 1280, 720),
    (0x30, Some(Format::Evt3), 1280, 720),
    (0x31, Some(Format::Evt3), 1280, 720),
    (0x32, Some(Format::Evt3), 1280, 720),
    (0x34, None, 640, 512),
    (0x35, None, 1280, 720),
    (0x36, None, 640, 512),
    (0x37, None, 320, 320),
    (0x3a, None, 1280, 720),
    (0x40, None, 320, 320),
    (0x97, Some(Format::Evt2), 640, 480),
    (0x99, Some(Format::Evt2), 640, 480),
    (0xa1, Some(Format::Evt2), 640, 480),
    (0xa2, Some(Format::Evt2), 640, 480),
];
/// The first system for which EVT 2.1 words have the type in the upper half unless the header states
/// otherwise.
const FIRST_SYSTEM_OF_LITTLE_ENDIAN: u32 = 0x37;

/// Sensors by part of the name of a plug-in or sensor; more specific names come first.
const SENSORS: [(&str, u16, u16); 11] = [
    ("genx320", 320, 320),
    ("imx636", 1280, 720),
    ("imx646", 1280, 720),
    ("imx637", 640, 512),
    ("imx647", 640, 512),
    ("gen41", 1280, 720),
    ("gen4.", 1280, 720),
    ("gen4", 1280, 720),
    ("gen31", 640, 480),
    ("gen3.", 640, 480),
    ("gen3", 640, 480),
];

/// The format stated in the header of a Prophesee file, if it has one: lines that begin with `%`, not
/// followed by text.
///
/// # Errors
/// As [`Header::format`].
pub(super) fn told(bytes: &[u8]) -> Option<Result<Format, String>> {
    let has_header = bytes.starts_with(b"%")
        && first_line_is_text(bytes)
        && !text::looks_like(text::behind_comments(bytes));
    has_header.then(|| Header::read(bytes).format())
}

/// Whether the first line is text: an ATIS recording whose first event is in column 37 begins with `%` too.
fn first_line_is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // Four bytes extend into an ATIS event's time, which is not text at the start of a recording.
    line.len() >= 4
        && line.len() < start.len()
        && line.iter().all(|byte| matches!(byte, b'\t' | b'\r' | b' '..=b'~'))
}

/// The order of the halves of an EVT 2.1 word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endianness {
    /// Type and position in the upper half.
    Little,
    /// Type and position in the lower half: IMX636, Gen4.1.
    Legacy,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut header = Header::default();
        for (line, end) in header_lines(bytes, b'%') {
            header.end = end;
            let text = line.trim_start_matches('%').trim();
            if text.eq_ignore_ascii_case("end") {
                break;
            }
            // `% format EVT3;height=720;width=1280`
            for (i, part) in text.split(';').enumerate() {
                let pair = if i == 0 {
                    key_value(part)
                } else {
                    part.split_once('=').map(|(key, value)| (key.trim().into(), value.trim().into()))
                };
                header.lines.extend(pair);
            }
        }
        header
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// The number in `system_ID`, for Prophesee's own cameras.
    fn system(&self) -> Option<u32> {
        let integrators = ["integrator_name", "camera_integrator_name", "plugin_integrator_name"];
        let is_own = |key| self.get(key).is_none_or(|name| name.eq_ignore_ascii_case("prophesee"));
        integrators.into_iter().all(is_own).then_some(())?;
        self.get("system_ID")?.trim().parse().ok()
    }

    /// The format of the words.
    ///
    /// # Errors
    /// An unsupported format, by name, or none stated in the header.
    pub(super) fn format(&self) -> Result<Format, String> {
        if !RAW_KEYS.iter().any(|key| self.get(key).is_some()) {
            return Ok(Format::Dat);
        }
        let stated = match self.get("format") {
            Some(name) => Some(name.to_owned()),
            None => self.get("evt").map(|version| format!("EVT{version}")),
        };
        let Some(stated) = stated else {
            let by_system = |id| SYSTEMS.iter().find(|system| system.0 == id).and_then(|system| system.1);
            return self.system().and_then(by_system).or_else(|| self.format_of_plugin()).ok_or_else(|| {
                "a Prophesee RAW file whose header names neither its format (`% format`, `% evt`) nor a system that has \
                 one (`% system_ID`): give it (`format`: `evt2`, `evt21` or `evt3`; `--format evt2`)"
                    .to_owned()
            });
        };
        match stated.trim().to_ascii_uppercase().as_str() {
            "EVT2" | "EVT2.0" | "EVT20" => Ok(Format::Evt2),
            "EVT2.1" | "EVT21" => Ok(Format::Evt21),
            "EVT3" | "EVT3.0" | "EVT30" => Ok(Format::Evt3),
            _ => Err(format!(
                "a Prophesee RAW file of the format {}, which is not read: EVT 2.0, 2.1 and 3.0 are; record it in one \
                 of these, or convert it by Metavision's `metavision_file_to_hdf5` or `metavision_file_to_csv`",
                stated.trim()
            )),
        }
    }

    /// The format for plug-ins that can record only one.
    fn format_of_plugin(&self) -> Option<Format> {
        let plugin = self.get("plugin_name")?.to_ascii_lowercase();
        let known = ["hal_plugin_gen3_fx3", "hal_plugin_gen31_fx3", "hal_plugin_gen31_evk2"];
        known.contains(&plugin.as_str()).then_some(Format::Evt2)
    }

    /// The order of the halves of EVT 2.1 words, if the header states it.
    ///
    /// # Errors
    /// An unknown order.
    pub(super) fn endianness(&self) -> Result<Option<Endianness>, String> {
        match self.get("endianness").map(str::to_ascii_lowercase).as_deref() {
            Some("legacy") => Ok(Some(Endianness::Legacy)),
            Some("little") => Ok(Some(Endianness::Little)),
            Some(other) => {
                Err(format!("EVT 2.1 words of the endianness `{other}`: `little` and `legacy` are read"))
            }
            None => Ok(self
                .system()
                .filter(|&id| id > 0 && id < FIRST_SYSTEM_OF_LITTLE_ENDIAN)
                .map(|_| Endianness::Legacy)),
        }
    }

    /// The sensor: as stated, else that of the named camera.
    pub(super) fn sensor(&self) -> Option<SensorSize> {
        let size = |width: &str, height: &str| {
            let sensor =
                SensorSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? };
            (sensor.width > 0 && sensor.height > 0).then_some(sensor)
        };
        let stated =
            self.get("width").zip(self.get("height")).and_then(|(width, height)| size(width, height));
        let geometry = || size_of_geometry(self.get("geometry")?, size);
        let by_system = || {
            let id = self.system()?;
            let &(_, _, width, height) = SYSTEMS.iter().find(|system| system.0 == id)?;
            Some(SensorSize { width, height })
        };
        let named = |key| {
            let name = self.get(key)?.to_ascii_lowercase();
            let &(_, width, height) = SENSORS.iter().find(|(part, ..)| name.contains(part))?;
            Some(SensorSize { width, height })
        };
        stated
            .or_else(geometry)
            .or_else(by_system)
            .or_else(|| named("plugin_name"))
            .or_else(|| named("sensor_name"))
            .or_else(|| match self.get("sensor_generation")? {
                "3.0" | "3.1" => size("640", "480"),
                "4.0" | "4.1" | "4.2" => size("1280", "720"),
                _ => None,
            })
    }
}

/// `1280x720`.
fn size_of_geometry(geometry: &str, size: impl Fn(&str, &str) -> Option<SensorSize>) -> Option<SensorSize> {
    let (width, height) = geometry.split_once(['x', 'X'])?;
    size(width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Header {
        Header::read(text.as_bytes())
    }

    #[test]
    fn the_format_is_what_the_header_says() {
        for (text, format) in [
            ("% evt 2.0\n", Format::Evt2),
            ("% evt 3.0\n", Format::Evt3),
            ("% evt 2.1\n", Format::Evt21),
            ("% format EVT21;height=320;width=320\n", Format::Evt21),
            // A newer key takes precedence.
            ("% evt 2.0\n% format EVT3;height=720;width=1280\n", Format::Evt3),
            ("% integrator_name Prophesee\n% system_ID 21\n", Format::Evt2),
            ("% system_ID 48\n", Format::Evt3),
            ("% plugin_name hal_plugin_gen31_fx3\n", Format::Evt2),
            ("% Data file containing CD events.\n% Version 2\n", Format::Dat),
        ] {
            assert_eq!(header(text).format(), Ok(format), "{text}");
        }
        for (text, problem) in [
            ("% evt 4.0\n", "EVT4.0"),
            ("% format HISTO3D;height=320;width=320\n", "HISTO3D"),
            ("% integrator_name Other\n% system_ID 21\n", "--format evt2"),
            ("% serial_number 7\n", "system_ID"),
        ] {
            let found = header(text).format().unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }

    #[test]
    fn the_layout_of_evt21_is_as_stated_or_as_the_system_has_it() {
        let endianness = |text| header(text).endianness();
        assert_eq!(endianness("% format EVT21;endianness=legacy\n"), Ok(Some(Endianness::Legacy)));
        assert_eq!(endianness("% endianness little\n% system_ID 49\n"), Ok(Some(Endianness::Little)));
        assert_eq!(endianness("% evt 2.1\n% system_ID 49\n"), Ok(Some(Endianness::Legacy)));
        assert_eq!(endianness("% evt 2.1\n% system_ID 64\n"), Ok(None));
        assert!(endianness("% format EVT21;endianness=big\n").unwrap_err().contains("`big`"));
    }

    #[test]
    fn the_sensor_is_stated_or_that_of_the_camera() {
        for (text, width, height) in [
            ("% format EVT3;height=720;width=1280\n", 1280, 720),
            ("% geometry 320x320\n", 320, 320),
            ("% system_ID 21\n", 640, 480),
            ("% plugin_name hal_plugin_imx636_evk4\n", 1280, 720),
            ("% plugin_name hal_plugin_gen31_evk2\n", 640, 480),
            ("% sensor_name GenX320\n", 320, 320),
            ("% sensor_generation 4.2\n", 1280, 720),
            ("% Height 240\n% Width 304\n", 304, 240),
        ] {
            assert_eq!(header(text).sensor(), Some(SensorSize { width, height }), "{text}");
        }
        assert_eq!(header("% evt 3.0\n").sensor(), None);
    }
}
