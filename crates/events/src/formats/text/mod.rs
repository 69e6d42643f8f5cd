//! Lines of numbers: time, column, row, polarity.
//!
//! They are separated by commas, semicolons, tabs or spaces; the text is UTF-8, with or without a byte order
//! mark, with LF or CRLF line ends. Polarity is 1 or 0, 1 or -1, or true or false, also as `+1` or
//! `1.000e+00`. The order of the columns is given by the first of these that is present:
//!
//! | source | example | order |
//! |---|---|---|
//! | the option `columns` | `y,x,_,p,t` | as given, regardless of the file |
//! | a first line of names; those other than t, x, y, p are skipped | `,t,x,y,p` (pandas), `x,y,pol,timestamp [ns]` | by the names |
//! | a comment that consists of the four names | `# t x y p` (`numpy.savetxt`) | by the names |
//! | a comment `%geometry:640,480` (Metavision) | | `x,y,p,t` |
//! | nothing | | `t,x,y,p`, or `x,y,t,p` if the third column is the increasing one |
//!
//! Names are `t`, `ts`, `time`, `timestamp`, with a unit as in `t_us`, `timestamp [ns]`, `t(s)`; `x`; `y`;
//! `p`, `pol`, `polarity`, `on`. Without a unit, integer times are in us, including `4.84e+02`; if any time
//! of the file has a fraction, all are in seconds. A first line of two numbers is the sensor's width and
//! height (E2VID), as is `%geometry`. Other lines that begin with `#` or `%` are skipped.

mod told;

use super::ReadOptions;
pub use super::columns::{ColumnOrder, ColumnOrderError};
use super::columns::{Order, RealTimes, TimeUnit, how_to_name, places};
use super::decoded::Decoded;
use super::event_format::{EventFormat, Unwritable};
use super::order::Look;
use crate::sensor::SensorSize;
use crate::stream::Events;
use told::{BYTE_ORDER_MARK, is_utf16};
pub(super) use told::{behind_comments, claims, looks_like};

/// Lines of numbers. No extension is specific to them: many texts are not recordings.
#[derive(Debug)]
pub(super) struct Text;

impl EventFormat for Text {
    fn title(&self) -> &str {
        "text"
    }

    fn has_mark(&self) -> bool {
        false
    }

    fn claims(&self, bytes: &[u8]) -> bool {
        claims(bytes)
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn decode(&self, bytes: &[u8], options: &ReadOptions, decoded: Decoded) -> Decoded {
        decode(bytes, options.columns, decoded)
    }

    fn encode(&self, events: Events<'_>) -> Result<Vec<u8>, Unwritable> {
        Ok(encode(events))
    }
}

/// The separator of the numbers in a line.
#[derive(Debug, Clone, Copy)]
enum Delimiter {
    Spaces,
    Char(char),
}

impl Delimiter {
    fn of_line(line: &str) -> Delimiter {
        // Several consecutive tabs can align numbers; among names, each separates two columns.
        let has_names = || line.starts_with('\t') || line.contains(char::is_alphabetic);
        match [';', ',', '\t'].into_iter().find(|&char| line.contains(char)) {
            Some('\t') if !has_names() => Delimiter::Spaces,
            Some(char) => Delimiter::Char(char),
            None => Delimiter::Spaces,
        }
    }

    fn fields(self, line: &str) -> Vec<&str> {
        let mut fields = Vec::new();
        self.each(line, |field| fields.push(field));
        fields
    }

    fn each<'a>(self, line: &'a str, mut take: impl FnMut(&'a str)) {
        let plain = |field: &'a str| field.trim().trim_matches('"');
        match self {
            Delimiter::Spaces => line.split_ascii_whitespace().map(plain).for_each(&mut take),
            Delimiter::Char(char) => line.split(char).map(plain).for_each(&mut take),
        }
    }

    /// The names in a header, including `timestamp [ns]` among spaces.
    fn names(self, line: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for field in self.fields(line) {
            match names.last_mut() {
                Some(last) if field.starts_with(['[', '(']) => last.push_str(field),
                _ => names.push(field.to_owned()),
            }
        }
        names
    }
}

/// How the lines of events are read.
#[derive(Debug, Clone, Copy)]
struct Lines {
    delimiter: Delimiter,
    places: [usize; 4],
    /// Number of columns of a line.
    count: usize,
    unit: Option<TimeUnit>,
    /// Whether the order is stated.
    is_told: bool,
    /// Whether rows may begin with a number for which the line of names has no name.
    may_be_numbered: bool,
}

impl Lines {
    fn new(delimiter: Delimiter, order: Order, is_told: bool) -> Lines {
        Lines {
            delimiter,
            places: order.places.map(usize::from),
            count: order.count.into(),
            unit: order.unit,
            is_told,
            may_be_numbered: false,
        }
    }
}

/// The text before the events.
#[derive(Debug, Default)]
struct Preamble {
    /// The order stated in a comment, if any.
    order: Option<Order>,
    width: Option<u16>,
    height: Option<u16>,
    /// Whether a line that is not a comment was seen.
    is_over: bool,
}

impl Preamble {
    fn comment(&mut self, line: &str) {
        let text = line.trim_start_matches(['#', '%', ' ', '\t']);
        let lower = text.to_ascii_lowercase();
        let numbers = || {
            let parts = lower.split(|char: char| !char.is_ascii_digit()).filter(|part| !part.is_empty());
            parts.map(|part| part.parse::<u16>().ok().filter(|&size| size > 0)).collect::<Option<Vec<_>>>()
        };
        if lower.starts_with("geometry") {
            if let Some([width, height]) = numbers().as_deref() {
                (self.width, self.height) = (Some(*width), Some(*height));
                self.order.get_or_insert(Order::XYPT);
            }
            return;
        }
        for (name, side) in [("width", &mut self.width), ("height", &mut self.height)] {
            if lower.starts_with(name)
                && let Some([size]) = numbers().as_deref()
            {
                *side = Some(*size);
                return;
            }
        }
        let names = Delimiter::of_line(text).names(text);
        if names.len() == 4
            && let Some((places, unit)) = places(names.iter().map(String::as_str))
        {
            self.order = Some(Order::told(places.map(|place| place as u8), 4, unit));
        }
    }

    fn sensor(&self) -> Option<SensorSize> {
        Some(SensorSize { width: self.width?, height: self.height? })
    }

    /// Interprets the first line that is not a comment.
    fn first_line(&mut self, line: &str, given: Option<Order>) -> First {
        let delimiter = Delimiter::of_line(line);
        let fields = delimiter.fields(line);
        if !std::mem::replace(&mut self.is_over, true)
            && let [width, height] = &fields[..]
            && let (Ok(width @ 1..), Ok(height @ 1..)) = (width.parse(), height.parse())
        {
            (self.width, self.height) = (Some(width), Some(height));
            return First::Size;
        }
        let order = given.or(self.order);
        let lines = Lines::new(delimiter, order.unwrap_or(Order::TXYP), order.is_some());
        let is_name = |field: &&str| !field.is_empty() && number(field).is_none() && boolean(field).is_none();
        if !fields.iter().any(is_name) {
            return First::Event(lines);
        }
        let names = delimiter.names(line);
        if let Some(order) = given {
            // Names, unless numbers among them show that this is a faulty event.
            let are_names = fields.iter().all(|field| field.is_empty() || is_name(field));
            let lines = Lines { may_be_numbered: names.len() + 1 == usize::from(order.count), ..lines };
            return if are_names { First::Names(lines) } else { First::Event(lines) };
        }
        match places(names.iter().map(String::as_str)) {
            Some((places, unit)) => First::Names(Lines {
                delimiter,
                places,
                count: names.len(),
                unit,
                is_told: true,
                may_be_numbered: true,
            }),
            None if fields.iter().all(|field| field.is_empty() || is_name(field)) => First::Unknown(names),
            None => First::Event(lines),
        }
    }
}

enum First {
    /// The size of the sensor.
    Size,
    /// Names of columns.
    Names(Lines),
    /// Names other than those of an event's columns.
    Unknown(Vec<String>),
    /// An event.
    Event(Lines),
}

/// A number of an event, as written.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i64),
    Real(f64),
}

fn number(text: &str) -> Option<Number> {
    match text.parse() {
        Ok(whole) => Some(Number::Whole(whole)),
        // A number that ends in a letter is `inf` or `nan`.
        Err(_) => text.parse().ok().filter(|real: &f64| real.abs() < 9e18).map(Number::Real),
    }
}

fn whole(text: &str) -> Option<i64> {
    match number(text)? {
        Number::Whole(whole) => Some(whole),
        Number::Real(real) => (real.fract() == 0.0).then_some(real as i64),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "True" | "true" | "TRUE" => Some(true),
        "False" | "false" | "FALSE" => Some(false),
        _ => None,
    }
}

fn polarity(text: &str) -> Option<bool> {
    boolean(text).or_else(|| match whole(text)? {
        1 => Some(true),
        0 | -1 => Some(false),
        _ => None,
    })
}

fn event(fields: [&str; 4]) -> Result<(Number, u16, u16, bool), String> {
    let [t, x, y, p] = fields;
    let time = number(t).ok_or_else(|| format!("`{t}` is not a time"))?;
    let pixel = |text: &str| {
        let pixel = whole(text).and_then(|pixel| pixel.try_into().ok());
        pixel.ok_or_else(|| format!("`{text}` is not a coordinate: a whole number of 0 to 65535"))
    };
    let polarity = polarity(p).ok_or_else(|| format!("`{p}` is not a polarity: 1, 0 or -1"))?;
    Ok((time, pixel(x)?, pixel(y)?, polarity))
}

/// The times of a file, in `Decoded::t`: integers, and from the first non-integer on, the bits of `f64`.
#[derive(Debug, Default)]
struct Times {
    real: Option<RealTimes>,
}

impl Times {
    /// The representation of `time` in the column.
    fn stored(&mut self, time: Number, before: &mut [i64]) -> i64 {
        let real = match (time, &mut self.real) {
            (Number::Whole(time), None) => return time,
            (Number::Whole(time), Some(_)) => time as f64,
            (Number::Real(time), _) => time,
        };
        let times = self.real.get_or_insert_with(|| {
            let mut times = RealTimes::default();
            for time in before {
                times.add(*time as f64);
                *time = (*time as f64).to_bits().cast_signed();
            }
            times
        });
        times.add(real);
        real.to_bits().cast_signed()
    }

    /// Converts all times to us.
    fn finish(self, unit: Option<TimeUnit>, decoded: &mut Decoded) -> Result<(), String> {
        let Some(real) = self.real else {
            return match unit {
                None | Some(TimeUnit::Microseconds) => Ok(()),
                Some(unit) => convert(&mut decoded.t, |time| unit.whole(time)),
            };
        };
        let unit = match unit {
            Some(unit) => unit,
            None => real.unit()?,
        };
        convert(&mut decoded.t, |bits| unit.real(f64::from_bits(bits.cast_unsigned())))
    }
}

fn convert(times: &mut [i64], us: impl Fn(i64) -> Option<i64>) -> Result<(), String> {
    for (i, time) in times.iter_mut().enumerate() {
        *time = us(*time).ok_or_else(|| format!("the time of event {i} is too large for its unit"))?;
    }
    Ok(())
}

pub(super) fn decode(bytes: &[u8], columns: ColumnOrder, decoded: Decoded) -> Decoded {
    let (mut decoded, lines) = decode_in(bytes, columns.given(), decoded);
    let Some(lines) = lines.filter(|lines| !lines.is_told) else { return decoded };
    if decoded.refusal.is_some() || !decoded.is_doubtful() {
        return decoded;
    }
    match order_of(bytes, lines.delimiter) {
        Ok(None) => decoded,
        Ok(Some(order)) => {
            decoded.start_again();
            decode_in(bytes, Some(order), decoded).0
        }
        Err(problem) => {
            decoded.refuse(0, problem);
            decoded
        }
    }
}

/// The order of four unnamed columns, if it is not t, x, y, p.
fn order_of(bytes: &[u8], delimiter: Delimiter) -> Result<Option<Order>, String> {
    let value = |field: &str| field.parse().ok().or_else(|| Some(f64::from(u8::from(boolean(field)?))));
    let mut look = Look::default();
    for line in bytes.split(|&byte| byte == b'\n') {
        let fields = delimiter.fields(std::str::from_utf8(line).unwrap_or_default());
        // A line may end with a delimiter.
        let fields = fields.strip_suffix(&[""]).unwrap_or(&fields);
        if let [a, b, c, d] = *fields
            && let (Some(a), Some(b), Some(c), Some(d)) = (value(a), value(b), value(c), value(d))
        {
            look.add([a, b, c, d]);
        }
    }
    look.order()
}

/// Decodes columns in the given order, else in that stated in the file; also returns how its lines are read.
fn decode_in(bytes: &[u8], given: Option<Order>, mut decoded: Decoded) -> (Decoded, Option<Lines>) {
    if is_utf16(bytes) {
        decoded.refuse(0, "this is UTF-16 text: save it as UTF-8 (`iconv -f UTF-16 -t UTF-8 IN > OUT`)");
        return (decoded, None);
    }
    // The shortest line of an event has eight bytes.
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
    decoded.reserve(lines.min(bytes.len() / 8 + 1));
    let mut at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let (mut preamble, mut lines, mut times) = (Preamble::default(), None, Times::default());
    for (number, line) in (1..).zip(bytes[at..].split_inclusive(|&byte| byte == b'\n')) {
        let start = at;
        at += line.len();
        let Ok(text) = std::str::from_utf8(line) else {
            decoded.stop(start, format!("line {number} is not text"));
            break;
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            continue;
        }
        if text.trim_start().starts_with(['#', '%']) {
            if lines.is_none() {
                preamble.comment(text.trim());
            }
            continue;
        }
        let is_first = lines.is_none();
        let lines = match &mut lines {
            Some(lines) => lines,
            none => match preamble.first_line(text, given) {
                First::Size => continue,
                First::Names(named) => {
                    *none = Some(named);
                    continue;
                }
                First::Unknown(names) => {
                    let names = names.join(", ");
                    let how = how_to_name("t,x,y,p");
                    let problem =
                        format!("line {number} names the columns {names}: which are t, x, y and p? {how}");
                    decoded.refuse(start, problem);
                    return (decoded, None);
                }
                First::Event(found) => none.insert(found),
            },
        };
        if let Err(refusal) = take_event(text, number, start, is_first, lines, &mut times, &mut decoded) {
            decoded.refuse(start, refusal);
            return (decoded, None);
        }
    }
    decoded.sensor = preamble.sensor();
    let unit = lines.and_then(|lines: Lines| lines.unit);
    if let Err(problem) = times.finish(unit, &mut decoded) {
        decoded.refuse(0, problem);
    }
    (decoded, lines)
}

/// Adds the event of a line, or leaves it out.
///
/// # Errors
/// The reason why the file is not of the assumed kind.
fn take_event(
    line: &str,
    number: usize,
    start: usize,
    is_first: bool,
    lines: &mut Lines,
    times: &mut Times,
    decoded: &mut Decoded,
) -> Result<(), String> {
    let mut fields = [""; 4];
    let (mut count, mut first, mut last) = (0, "", "");
    let places = lines.places;
    lines.delimiter.each(line, |field| {
        for (place, taken) in places.iter().zip(&mut fields) {
            if *place == count {
                *taken = field;
            }
        }
        if count == 0 {
            first = field;
        }
        last = field;
        count += 1;
    });
    // Numbered rows without a name for the numbers (as in pandas and R).
    let is_numbered = count == lines.count + 1 && matches!(first, "0" | "1") && !last.is_empty();
    if std::mem::take(&mut lines.may_be_numbered) && is_numbered {
        lines.count += 1;
        lines.places = lines.places.map(|place| place + 1);
        return take_event(line, number, start, is_first, lines, times, decoded);
    }
    let ends_in_delimiter = last.is_empty() && count == lines.count + 1;
    if count != lines.count && !ends_in_delimiter {
        let wanted = lines.count;
        if is_first && !lines.is_told {
            let mut example: Vec<&str> =
                ["t", "x", "y", "p"].into_iter().cycle().take(count.min(4)).collect();
            example.resize(count.clamp(4, 20), "_");
            let columns = if count == 1 { "1 column".to_owned() } else { format!("{count} columns") };
            let how = how_to_name(&example.join(","));
            return Err(format!("line {number}: {columns} where 4 are known (t, x, y, p): {how}"));
        }
        decoded.leave_out(start, || format!("line {number}: {count} columns instead of {wanted}"));
        return Ok(());
    }
    match event(fields) {
        Ok((time, x, y, p)) => {
            let time = times.stored(time, &mut decoded.t);
            decoded.push_at(start, time, x, y, p);
        }
        Err(problem) => {
            let hint = if lines.is_told {
                String::new()
            } else {
                format!(
                    ", where columns are in the order t,x,y,p: if they are not, {}",
                    how_to_name("x,y,t,p")
                )
            };
            decoded.leave_out(start, || format!("line {number}: {problem}{hint}"));
        }
    }
    Ok(())
}

fn encode(events: Events<'_>) -> Vec<u8> {
    let mut text = String::from("t,x,y,p\n");
    for i in 0..events.len() {
        // Writing to a string does not fail.
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!("{},{},{},{}\n", events.t[i], events.x[i], events.y[i], events.p[i]),
        );
    }
    text.into_bytes()
}
