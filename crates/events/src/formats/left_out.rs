//! The data left out when reading a recording: always reported, never dropped silently.

use std::fmt;

use serde::Serialize;

/// The data left out when reading a recording.
///
/// Contents of an intact file other than its events ([`LeftOut::passed_over`]: triggers, frames, IMU samples)
/// are always counted. Faults are left out only by lenient reading; strict reading fails at the first one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Individual faulty events: outside the sensor, or with invalid values.
    pub bad_events: Option<BadEvents>,
    /// Other contents of the file, by kind, in the order of their first position in the file or of their
    /// definition.
    pub passed_over: Vec<PassedOver>,
    /// The end of the file, if it cannot be read.
    pub lost: Option<Lost>,
}

/// Faulty events that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadEvents {
    /// Their number.
    pub count: u64,
    /// The position of the first of them, in bytes from the start of the file.
    pub offset: u64,
    /// Number of events before the first of them.
    pub event: usize,
    /// What is wrong with it, with its values.
    pub problem: String,
}

/// Records of one kind other than pixel events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Their kind, such as "trigger events".
    pub kind: String,
    /// Their number.
    pub count: u64,
}

/// The part of a faulty file left out by lenient reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The position of the fault, in bytes from the start of the file.
    pub offset: u64,
    /// Number of bytes from there to the end of the file.
    pub bytes: u64,
    /// What is wrong there.
    pub problem: String,
}

impl LeftOut {
    /// Whether everything in the file was an event that was kept.
    pub fn is_empty(&self) -> bool {
        !self.is_faulty() && self.passed_over.is_empty()
    }

    /// Whether the file is faulty, so that events are missing.
    pub fn is_faulty(&self) -> bool {
        self.bad_events.is_some() || self.lost.is_some()
    }
}

impl fmt::Display for LeftOut {
    /// One line: `1 event left out (byte 1028: ...); 5 trigger events passed over; the last 3 bytes lost ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(BadEvents { count, offset, problem, .. }) = &self.bad_events {
            parts.push(match count {
                1 => format!("1 faulty event left out, at byte {offset}: {problem}"),
                _ => format!("{count} faulty events left out, the first at byte {offset}: {problem}"),
            });
        }
        if !self.passed_over.is_empty() {
            let kinds: Vec<String> = self
                .passed_over
                .iter()
                .map(|PassedOver { kind, count }| format!("{kind}: {count}"))
                .collect();
            parts.push(format!("passed over: {}", kinds.join(", ")));
        }
        if let Some(Lost { offset, bytes, problem }) = &self.lost {
            let bytes = if *bytes == 1 { "byte".to_owned() } else { format!("{bytes} bytes") };
            parts.push(format!("lost the last {bytes}, from byte {offset}: {problem}"));
        }
        if parts.is_empty() {
            return f.write_str("nothing left out");
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_in_a_line() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        assert_eq!(left_out.to_string(), "nothing left out");
        left_out.passed_over.push(PassedOver { kind: "trigger events".into(), count: 5 });
        assert!(!left_out.is_empty() && !left_out.is_faulty());
        left_out.bad_events = Some(BadEvents { count: 1, offset: 8, event: 0, problem: "x = 9".into() });
        left_out.lost = Some(Lost { offset: 20, bytes: 1, problem: "cut".into() });
        assert!(left_out.is_faulty());
        let line = "1 faulty event left out, at byte 8: x = 9; passed over: trigger events: 5; lost the last byte, \
                    from byte 20: cut";
        assert_eq!(left_out.to_string(), line);
        let json = serde_json::to_value(&left_out).unwrap();
        assert_eq!(json["passed_over"][0]["kind"], "trigger events");
        assert_eq!(json["bad_events"]["offset"], 8);
    }
}
