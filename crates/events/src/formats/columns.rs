//! Functions shared by the containers of numbers (text, NumPy, HDF5, MATLAB): the names and order of columns,
//! units of time, and the conversion of columns to events.
//!
//! # Times
//!
//! 1. The unit is the one named by the option `columns` (`t_ns,x,y,p`), by the column's own name (`t_us`,
//!    `ts_ns`, `timestamp [ns]`, `t(s)`), by its type (`datetime64[ns]`), or by the layout's definition.
//! 2. Otherwise, integers are in us, even in floating point (`4.84e+02`).
//! 3. Otherwise, if any time of the file has a fraction, all are in seconds. A recording of more than 11 days
//!    is an error that asks for the unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decoded::Decoded;
use super::order::Look;
use crate::number::{NumberType, rounded};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    const ALL: [TimeUnit; 4] =
        [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds];

    /// Its names in files.
    fn names(self) -> &'static [&'static str] {
        match self {
            TimeUnit::Seconds => &["s", "sec", "secs", "second", "seconds"],
            TimeUnit::Milliseconds => &["ms", "msec", "millisecond", "milliseconds"],
            TimeUnit::Microseconds => &["us", "usec", "µs", "μs", "microsecond", "microseconds"],
            TimeUnit::Nanoseconds => &["ns", "nsec", "nanosecond", "nanoseconds"],
        }
    }

    pub(super) fn named(name: &str) -> Option<TimeUnit> {
        TimeUnit::ALL.into_iter().find(|unit| unit.names().contains(&name))
    }

    /// An integer in this unit, converted to us; nanoseconds are rounded down.
    pub(super) fn whole(self, time: i64) -> Option<i64> {
        match self {
            TimeUnit::Seconds => time.checked_mul(1_000_000),
            TimeUnit::Milliseconds => time.checked_mul(1000),
            TimeUnit::Microseconds => Some(time),
            TimeUnit::Nanoseconds => Some(time.div_euclid(1000)),
        }
    }

    /// A time in this unit, converted to us and rounded.
    pub(super) fn real(self, time: f64) -> Option<i64> {
        rounded(match self {
            TimeUnit::Seconds => time * 1e6,
            TimeUnit::Milliseconds => time * 1e3,
            TimeUnit::Microseconds => time,
            TimeUnit::Nanoseconds => time / 1e3,
        })
    }
}

/// The quantity in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Time(Option<TimeUnit>),
    X,
    Y,
    Polarity,
}

impl Role {
    const TIMES: &[&str] = &["t", "ts", "time", "times", "timestamp", "timestamps"];
    const COLUMNS: &[&str] = &["x", "xs"];
    const ROWS: &[&str] = &["y", "ys"];
    const POLARITIES: &[&str] = &["p", "ps", "pol", "polarity", "polarities", "on", "is_increase"];

    /// The quantity in a column with this name, if it is part of an event.
    pub(super) fn of_name(name: &str) -> Option<Role> {
        let name = name.trim().trim_matches(['"', '\'']).trim().to_lowercase();
        let bracket = name.find(['[', '(']);
        let (base, unit) = match bracket {
            Some(at) => (name[..at].trim_end(), Some(name[at + 1..].trim_end_matches([']', ')']).trim())),
            None => (name.as_str(), None),
        };
        if Role::TIMES.contains(&base) {
            return match unit {
                None => Some(Role::Time(None)),
                Some(unit) => TimeUnit::named(unit).map(|unit| Role::Time(Some(unit))),
            };
        }
        for (names, role) in
            [(Role::COLUMNS, Role::X), (Role::ROWS, Role::Y), (Role::POLARITIES, Role::Polarity)]
        {
            if names.contains(&base) {
                return Some(role);
            }
        }
        let (base, unit) = base.rsplit_once('_').filter(|_| unit.is_none())?;
        let unit = TimeUnit::named(unit).filter(|_| Role::TIMES.contains(&base))?;
        Some(Role::Time(Some(unit)))
    }

    /// The index of its quantity among t, x, y, p.
    fn index(self) -> usize {
        match self {
            Role::Time(_) => 0,
            Role::X => 1,
            Role::Y => 2,
            Role::Polarity => 3,
        }
    }
}

/// The positions of t, x, y and p among columns with these names, and the unit of time, if the name states
/// it; `None` unless all four are present. Of several columns of one kind, the first counts.
pub(super) fn places<'a>(names: impl Iterator<Item = &'a str>) -> Option<([usize; 4], Option<TimeUnit>)> {
    let mut places = [None; 4];
    let mut stated = None;
    for (place, name) in names.enumerate() {
        let Some(role) = Role::of_name(name) else { continue };
        if places[role.index()].replace(place).is_some_and(|first| {
            places[role.index()] = Some(first);
            true
        }) {
            continue;
        }
        if let Role::Time(unit) = role {
            stated = unit;
        }
    }
    let [Some(t), Some(x), Some(y), Some(p)] = places else { return None };
    Some(([t, x, y, p], stated))
}

/// The order of columns and the unit of time, if no names state them: for a text or an array `[N, 4]`.
///
/// As text, it lists the columns in the order of the file, separated by commas: `t`, `x`, `y` and `p` once
/// each, and `_` for a column to skip, as in `y,x,_,p,t`. `t_s`, `t_ms`, `t_us` and `t_ns` also state the
/// unit of time. `txyp` is short for `t,x,y,p`. The default, an empty text, means the order stated in the
/// file, else `t,x,y,p`. A given order takes precedence over the file's header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ColumnOrder(Option<Order>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// Positions of t, x, y, p.
    pub(super) places: [u8; 4],
    /// Number of columns.
    pub(super) count: u8,
    pub(super) unit: Option<TimeUnit>,
    /// Whether this order is assumed, not stated.
    pub(super) is_assumed: bool,
}

/// Maximum number of columns in which four may be selected.
const MOST_COLUMNS: usize = 100;

impl Order {
    /// `t,x,y,p`, unless the numbers show otherwise.
    pub(super) const TXYP: Order = Order { is_assumed: true, ..Order::told([0, 1, 2, 3], 4, None) };
    /// `x,y,p,t`
    pub(super) const XYPT: Order = Order::told([3, 0, 1, 2], 4, None);
    /// `x,y,t,p`
    pub(super) const XYTP: Order = Order::told([2, 0, 1, 3], 4, None);
    /// `x,y,t,p`, in seconds.
    #[cfg(feature = "hdf5")]
    pub(super) const XYTP_SECONDS: Order = Order::told([2, 0, 1, 3], 4, Some(TimeUnit::Seconds));

    pub(super) const fn told(places: [u8; 4], count: u8, unit: Option<TimeUnit>) -> Order {
        Order { places, count, unit, is_assumed: false }
    }

    fn parse(text: &str) -> Option<Order> {
        let names: Vec<&str> = if text.contains(',') {
            text.split(',').map(str::trim).collect()
        } else {
            text.trim().split("").filter(|name| !name.is_empty()).collect()
        };
        let is_known = |name: &&str| **name == *"_" || Role::of_name(name).is_some();
        if names.len() > MOST_COLUMNS || !names.iter().all(is_known) {
            return None;
        }
        let roles = names.iter().filter(|name| Role::of_name(name).is_some()).count();
        let (places, unit) = places(names.iter().copied()).filter(|_| roles == 4)?;
        Some(Order::told(places.map(|place| place as u8), names.len() as u8, unit))
    }
}

impl ColumnOrder {
    pub(super) fn given(self) -> Option<Order> {
        self.0
    }

    /// The unit of time, if given.
    pub(super) fn unit(self) -> Option<TimeUnit> {
        self.0.and_then(|order| order.unit)
    }
}

/// A text that is not a valid [`ColumnOrder`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "columns = `{0}`: name t, x, y and p once each in the file's order, and `_` for a column to pass over, as in \
     `y,x,_,p,t`; `t_s`, `t_ms`, `t_us` or `t_ns` tell the unit of time too"
)]
pub struct ColumnOrderError(String);

impl FromStr for ColumnOrder {
    type Err = ColumnOrderError;

    fn from_str(text: &str) -> Result<Self, ColumnOrderError> {
        if text.trim().is_empty() {
            return Ok(ColumnOrder(None));
        }
        match Order::parse(text) {
            Some(order) => Ok(ColumnOrder(Some(order))),
            None => Err(ColumnOrderError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for ColumnOrder {
    type Error = ColumnOrderError;

    fn try_from(text: String) -> Result<Self, ColumnOrderError> {
        text.parse()
    }
}

impl fmt::Display for ColumnOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Order { places, count, unit, .. }) = self.0 else { return Ok(()) };
        for place in 0..count {
            let name =
                places.iter().position(|&of| of == place).map_or("_", |role| ["t", "x", "y", "p"][role]);
            let comma = if place == 0 { "" } else { "," };
            let unit =
                unit.filter(|_| name == "t").map_or(String::new(), |unit| format!("_{}", unit.names()[0]));
            write!(f, "{comma}{name}{unit}")?;
        }
        Ok(())
    }
}

impl From<ColumnOrder> for String {
    fn from(order: ColumnOrder) -> String {
        order.to_string()
    }
}

/// How to name the order of columns, for errors; `example` has as many columns as the file.
pub(super) fn how_to_name(example: &str) -> String {
    format!(
        "name the columns in order, with `_` for one to pass over (`columns = \"{example}\"`; `--columns {example}`)"
    )
}

/// One column of numbers of one type: the first at byte `offset`, each `step` bytes after the previous one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) offset: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) kind: NumberType,
}

impl Column<'_> {
    fn at(&self, i: usize) -> Option<&[u8]> {
        self.bytes.get(self.offset.checked_add(i.checked_mul(self.step)?)?..)
    }

    fn real(&self, i: usize) -> Option<f64> {
        self.kind.real(self.at(i)?)
    }

    /// Number `i` as an integer; `None` if it is missing or has a fraction.
    fn whole(&self, i: usize) -> Option<i64> {
        if self.kind.is_float() {
            self.real(i).filter(|value| value.fract() == 0.0).and_then(rounded)
        } else {
            self.kind.whole(self.at(i)?)
        }
    }

    /// Number `i` as text, for errors.
    fn shown(&self, i: usize) -> String {
        let exact = self.whole(i).map(|whole| whole.to_string());
        exact.or_else(|| Some(self.real(i)?.to_string())).unwrap_or_else(|| "missing".into())
    }
}

/// Times further than this many seconds after the first are not interpreted as seconds: 11 days.
const LONGEST_SECONDS: f64 = 1e6;

/// Statistics of floating-point times, collected number by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct RealTimes {
    has_fraction: bool,
    least: f64,
    most: f64,
}

impl Default for RealTimes {
    fn default() -> Self {
        RealTimes { has_fraction: false, least: f64::INFINITY, most: f64::NEG_INFINITY }
    }
}

impl RealTimes {
    pub(super) fn add(&mut self, time: f64) {
        if time.is_finite() {
            self.has_fraction |= time.fract() != 0.0;
            self.least = self.least.min(time);
            self.most = self.most.max(time);
        }
    }

    /// Their unit, if nothing states it.
    pub(super) fn unit(self) -> Result<TimeUnit, String> {
        if !self.has_fraction {
            return Ok(TimeUnit::Microseconds);
        }
        if self.most - self.least <= LONGEST_SECONDS {
            return Ok(TimeUnit::Seconds);
        }
        Err(format!(
            "times run from {} to {}, with fractions: as seconds that is more than 11 days; name their unit \
             (`columns = \"t_us,x,y,p\"` or `t_ms`, `t_ns`, `t_s`; `--columns t_us,x,y,p`)",
            self.least, self.most
        ))
    }
}

/// Four columns t, x, y, p, and information on them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) columns: [Column<'a>; 4],
    /// The unit of time, if stated.
    pub(super) unit: Option<TimeUnit>,
    /// Offset added to each time, in us.
    pub(super) offset_us: i64,
    /// Whether x, y and p are counted from 1 (MATLAB).
    pub(super) from_one: bool,
    /// Whether it is assumed, not stated, that these are t, x, y, p.
    pub(super) is_assumed: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn new(columns: [Column<'a>; 4], unit: Option<TimeUnit>) -> Self {
        Columns { columns, unit, offset_us: 0, from_one: false, is_assumed: false }
    }

    /// The columns of a table: `rows` rows, each with a number of `kind` for every column of `order`.
    /// `is_transposed` tables are stored column by column.
    pub(super) fn of_table(
        bytes: &'a [u8],
        rows: usize,
        kind: NumberType,
        order: Order,
        is_transposed: bool,
    ) -> Self {
        let (size, count) = (kind.size(), usize::from(order.count));
        let columns = order.places.map(|place| {
            let place = usize::from(place);
            let (offset, step) = if is_transposed {
                (place.saturating_mul(rows).saturating_mul(size), size)
            } else {
                (place * size, count * size)
            };
            Column { bytes, offset, step, count: rows, kind }
        });
        Columns { is_assumed: order.is_assumed, ..Columns::new(columns, order.unit) }
    }

    /// Adds the events to `decoded`, which has none; `place` returns the position of an event in the file.
    pub(super) fn fill(self, decoded: &mut Decoded, place: impl Fn(usize) -> usize) {
        self.add(decoded, &place);
        if !self.is_assumed || decoded.refusal.is_some() || !decoded.is_doubtful() {
            return;
        }
        let mut look = Look::default();
        for i in 0..self.columns[0].count {
            look.add(self.columns.map(|column| column.real(i).unwrap_or(f64::NAN)));
        }
        match look.order() {
            Ok(None) => {}
            Ok(Some(order)) => {
                decoded.start_again();
                let columns = order.places.map(|place| self.columns[usize::from(place)]);
                Columns { columns, ..self }.add(decoded, &place);
            }
            Err(problem) => decoded.refuse(0, problem),
        }
    }

    fn add(self, decoded: &mut Decoded, place: impl Fn(usize) -> usize) {
        let lengths = self.columns.map(|column| column.count);
        let count = lengths.into_iter().min().unwrap_or(0);
        if lengths.iter().any(|&length| length != count) {
            let [t, x, y, p] = lengths;
            decoded.stop(0, format!("the columns differ in length: t has {t} values, x {x}, y {y}, p {p}"));
        }
        let [t, x, y, p] = self.columns;
        let unit = match self.unit {
            Some(unit) => unit,
            None if !t.kind.is_float() => TimeUnit::Microseconds,
            None => {
                let mut times = RealTimes::default();
                (0..count).filter_map(|i| t.real(i)).for_each(|time| times.add(time));
                match times.unit() {
                    Ok(unit) => unit,
                    Err(problem) => return decoded.refuse(0, problem),
                }
            }
        };
        let is_float = t.kind.is_float();
        let time = |i| {
            let us = if is_float { unit.real(t.real(i)?) } else { unit.whole(t.whole(i)?) };
            us?.checked_add(self.offset_us)
        };
        let first = i64::from(self.from_one);
        let from_zero = |value: Option<i64>| value.and_then(|value| value.checked_sub(first));
        decoded.reserve(count);
        decoded.extend_with(
            count,
            |i| [time(i), from_zero(x.whole(i)), from_zero(y.whole(i)), from_zero(p.whole(i))],
            place,
            |i| self.columns.map(|column| column.shown(i)),
        );
    }

    /// Determines from the polarities whether x, y and p are counted from 1: they are then 1 and 2.
    ///
    /// # Errors
    /// Polarities of 2 together with columns or rows of 0.
    pub(super) fn counted_as_matlab(mut self) -> Result<Self, String> {
        let [_, x, y, p] = self.columns;
        let least = |column: Column<'_>| (0..column.count).filter_map(|i| column.whole(i)).min().unwrap_or(1);
        let most = (0..p.count).filter_map(|i| p.whole(i)).max().unwrap_or(0);
        if least(p) < 1 || most > 2 {
            return Ok(self);
        }
        if least(x) < 1 || least(y) < 1 {
            return Err(
                "polarities are 1 and 2, as if counted from 1, but columns or rows are counted from 0".into(),
            );
        }
        self.from_one = true;
        Ok(self)
    }
}

/// Maximum decompressed size of a compressed file of this length. Recordings examined grew to ten times their
/// size; a file that claims much more is not valid.
pub(super) fn most_unpacked(file: usize) -> usize {
    file.saturating_mul(32).saturating_add(12 << 20)
}

/// The names of the contents of a container, for errors: at most a dozen.
pub(super) fn listed(items: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = items.len().saturating_sub(SHOWN);
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match (items.len(), more) {
        (0, _) => "nothing".into(),
        (_, 0) => shown,
        _ => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_column_holds_and_its_unit() {
        for (name, unit) in [
            ("t", None),
            (" Timestamp ", None),
            ("\"ts\"", None),
            ("timeStamp", None),
            ("t_us", Some(TimeUnit::Microseconds)),
            ("ts_ns", Some(TimeUnit::Nanoseconds)),
            ("timestamp [ns]", Some(TimeUnit::Nanoseconds)),
            ("timestamp_usec", Some(TimeUnit::Microseconds)),
            ("Time [µs]", Some(TimeUnit::Microseconds)),
            ("t(s)", Some(TimeUnit::Seconds)),
            ("time_ms", Some(TimeUnit::Milliseconds)),
        ] {
            assert_eq!(Role::of_name(name), Some(Role::Time(unit)), "{name}");
        }
        assert_eq!(Role::of_name("x [px]"), Some(Role::X));
        assert_eq!(Role::of_name("Polarity"), Some(Role::Polarity));
        for name in ["", "_", "t_offset", "t [frames]", "brightness", "x_us", "index", "Unnamed: 0"] {
            assert_eq!(Role::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn orders_are_read_and_written() {
        for (text, places, count, unit) in [
            ("txyp", [0, 1, 2, 3], 4, None),
            ("xytp", [2, 0, 1, 3], 4, None),
            ("xypt", [3, 0, 1, 2], 4, None),
            ("y,x,_,p,t", [4, 1, 0, 3], 5, None),
            ("yx_pt", [4, 1, 0, 3], 5, None),
            (" x, y, polarity, timestamp_ns ", [3, 0, 1, 2], 4, Some(TimeUnit::Nanoseconds)),
            ("t_s,x,y,p,_", [0, 1, 2, 3], 5, Some(TimeUnit::Seconds)),
        ] {
            let order: ColumnOrder = text.parse().unwrap();
            assert_eq!(order.0, Some(Order::told(places, count, unit)), "{text}");
            assert_eq!(order.to_string().parse(), Ok(order), "{text}");
        }
        assert_eq!("".parse(), Ok(ColumnOrder::default()));
        for text in ["t,x,y", "t,x,y,q", "t,t,x,y,p", "txy", "x,y,p", ",,,", "t_q,x,y,p"] {
            let error = text.parse::<ColumnOrder>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("y,x,_,p,t"), "{error}");
        }
    }

    #[test]
    fn times_without_a_unit_are_told_by_their_fractions() {
        let unit = |times: &[f64]| {
            let mut seen = RealTimes::default();
            times.iter().for_each(|&time| seen.add(time));
            seen.unit()
        };
        assert_eq!(unit(&[]), Ok(TimeUnit::Microseconds));
        assert_eq!(unit(&[484.0, 1698.0]), Ok(TimeUnit::Microseconds));
        assert_eq!(unit(&[0.0, 0.000_484]), Ok(TimeUnit::Seconds));
        assert_eq!(unit(&[1_506_118_124.5, 1_506_118_130.0]), Ok(TimeUnit::Seconds));
        let error = unit(&[0.5, 2e6]).unwrap_err();
        assert!(error.contains("--columns t_us,x,y,p"), "{error}");
        assert_eq!(TimeUnit::Nanoseconds.whole(-1), Some(-1));
        assert_eq!(TimeUnit::Milliseconds.real(1.5), Some(1500));
        assert_eq!(TimeUnit::Seconds.whole(i64::MAX), None);
    }
}
