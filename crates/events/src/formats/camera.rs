//! Event cameras by name: the size of their sensor, and the layout of an address in AEDAT 1.0 and 2.0.

use serde::{Deserialize, Serialize};

use crate::sensor::SensorSize;

/// An event camera.
///
/// AEDAT 1.0 and 2.0 store addresses whose layout depends on the camera, and many files do not name theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Camera {
    /// DVS128, and DVS128-like: 128 x 128 (CIFAR10-DVS, DVS128 Gesture).
    Dvs128,
    /// DAVIS128: 128 x 128.
    Davis128,
    /// DAVIS208: 208 x 192.
    Davis208,
    /// DAVIS240A, B, C: 240 x 180.
    Davis240,
    /// DAVIS346: 346 x 260.
    Davis346,
    /// DAVIS640: 640 x 480.
    Davis640,
    /// jAER's DVS640, as v2e writes 640 x 480 pixels.
    Dvs640,
}

impl Camera {
    /// Every camera.
    pub const ALL: [Camera; 7] = [
        Camera::Dvs128,
        Camera::Davis128,
        Camera::Davis208,
        Camera::Davis240,
        Camera::Davis346,
        Camera::Davis640,
        Camera::Dvs640,
    ];

    /// The name in configurations and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Camera::Dvs128 => "dvs128",
            Camera::Davis128 => "davis128",
            Camera::Davis208 => "davis208",
            Camera::Davis240 => "davis240",
            Camera::Davis346 => "davis346",
            Camera::Davis640 => "davis640",
            Camera::Dvs640 => "dvs640",
        }
    }

    /// Size of its sensor.
    pub fn sensor(self) -> SensorSize {
        let (width, height) = match self {
            Camera::Dvs128 | Camera::Davis128 => (128, 128),
            Camera::Davis208 => (208, 192),
            Camera::Davis240 => (240, 180),
            Camera::Davis346 => (346, 260),
            Camera::Davis640 | Camera::Dvs640 => (640, 480),
        };
        SensorSize { width, height }
    }
}

impl std::str::FromStr for Camera {
    type Err = String;

    /// The camera with this [`Camera::name`].
    fn from_str(name: &str) -> Result<Self, String> {
        let lower = name.to_ascii_lowercase();
        Camera::ALL.into_iter().find(|camera| camera.name() == lower).ok_or_else(|| {
            let names = Camera::ALL.map(Camera::name).join(", ");
            format!("`{name}` is not a camera that is known: {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_called_the_same_everywhere() {
        for camera in Camera::ALL {
            assert_eq!(camera.name().parse(), Ok(camera));
            assert_eq!(serde_json::to_value(camera).unwrap(), camera.name());
        }
        assert!("davis".parse::<Camera>().unwrap_err().contains("davis346"));
    }
}
