//! What reading a recording left out: told, never dropped in silence.

use std::fmt;

use serde::Serialize;

/// What a reading left out of a recording.
///
/// Words that a healthy file holds beside its events ([`LeftOut::passed_over`]: triggers, frames, IMU samples) are
/// counted by every reading. Faults are left out by a lenient reading only; a strict one fails at the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Single events that are faulty: outside the sensor, or with a value that no event has.
    pub bad_events: Option<BadEvents>,
    /// What else the file holds, by kind, in the order of its first place in the file or of its definition.
    pub passed_over: Vec<PassedOver>,
    /// The end of the file, where that cannot be read.
    pub lost: Option<Lost>,
}

/// Faulty events that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadEvents {
    /// How many.
    pub count: u64,
    /// Where the first of them lies, in bytes from the start of the file.
    pub offset: u64,
    /// Number of events before the first of them.
    pub event: usize,
    /// What is wrong with it, with its values.
    pub problem: String,
}

/// Records of one kind that are no events of pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// What they are, such as "trigger events".
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// The part of a faulty file that a lenient reading left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Where the fault lies, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes from there to the end of the file.
    pub bytes: u64,
    /// What is wrong there.
    pub problem: String,
}

impl LeftOut {
    /// Whether everything in the file was an event that is kept.
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
