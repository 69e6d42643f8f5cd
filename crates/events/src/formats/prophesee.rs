//! The header of Prophesee's files: lines that begin with `%`.

use super::Format;
use super::cursor::{header_lines, key_value};
use crate::stream::SensorSize;

/// What a header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) lines: Vec<(String, String)>,
    /// Where the data begin.
    pub(super) end: usize,
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

    pub(super) fn format(&self) -> Format {
        let evt = self.get("evt").map(|version| format!("EVT{version}"));
        let name = evt.as_deref().or_else(|| self.get("format")).unwrap_or("").to_ascii_uppercase();
        match name.as_str() {
            "EVT2" | "EVT2.0" => Format::Evt2,
            "EVT2.1" | "EVT21" => Format::Evt21,
            "EVT3" | "EVT3.0" => Format::Evt3,
            _ => Format::Dat,
        }
    }

    /// The sensor: as stated, else that of the camera that is named.
    pub(super) fn sensor(&self) -> Option<SensorSize> {
        let size = |width: &str, height: &str| {
            Some(SensorSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
        };
        if let (Some(width), Some(height)) = (self.get("width"), self.get("height")) {
            return size(width, height);
        }
        if let Some((width, height)) = self.get("geometry").and_then(|geometry| geometry.split_once('x')) {
            return size(width, height);
        }
        let known = |width, height| Some(SensorSize { width, height });
        let plugin = self.get("plugin_name").unwrap_or("").to_ascii_lowercase();
        if plugin.contains("gen41") || plugin.contains("imx636") || plugin.contains("gen4") {
            known(1280, 720)
        } else if plugin.contains("genx320") {
            known(320, 320)
        } else if plugin.contains("gen31") || plugin.contains("gen3") {
            known(640, 480)
        } else {
            None
        }
    }
}
