//! Checks whether times increase, and determines the time column if no names identify the columns.

use super::columns::{Order, how_to_name};

/// Whether so many of these steps go backwards that the values are not times.
pub(super) fn is_no_clock(back: u64, steps: u64) -> bool {
    back >= 3 && 16 * back > steps
}

/// Number of parts of a recording that are compared for large-scale order.
const PARTS: usize = 64;

/// Minimum number of events between two values compared for large-scale order, which is not affected by
/// disorder among neighbours.
const APART: usize = 16;

/// How often a time is smaller than the previous one, and the first such event; `None` unless times run
/// backwards throughout. This excludes events that are out of order only among their neighbours, and
/// concatenated recordings: on a large scale, their times increase.
pub(super) fn backwards(t: &[i64]) -> Option<(usize, usize)> {
    let falls = |pair: &[i64]| pair[1] < pair[0];
    let first = t.windows(2).position(falls)?;
    let back = t[first..].windows(2).filter(|pair| falls(pair)).count();
    let afar: Vec<i64> = t.iter().copied().step_by(t.len().div_ceil(PARTS).max(APART)).collect();
    let back_afar = afar.windows(2).filter(|pair| falls(pair)).count();
    // Values that are not times fall about every other time; concatenated recordings fall where the next one
    // begins.
    let fall_afar = back_afar >= 3 && 4 * back_afar > afar.len() - 1;
    (fall_afar && is_no_clock(back as u64, t.len() as u64 - 1)).then_some((back, first + 1))
}

/// Statistics of four unnamed columns, collected row by row.
#[derive(Debug, Default)]
pub(super) struct Look {
    before: Option<[f64; 4]>,
    rows: u64,
    /// How often each increases and decreases.
    rises: [u64; 4],
    falls: [u64; 4],
    /// How many values of each are not a coordinate, or not a polarity.
    not_pixels: [u64; 4],
    not_polarities: [u64; 4],
}

impl Look {
    pub(super) fn add(&mut self, row: [f64; 4]) {
        self.rows += 1;
        for (i, value) in row.into_iter().enumerate() {
            let is_whole = value.fract() == 0.0;
            self.not_pixels[i] += u64::from(!is_whole || !(0.0..=65535.0).contains(&value));
            self.not_polarities[i] += u64::from(!is_whole || !(-1.0..=1.0).contains(&value));
            if let Some(before) = self.before {
                self.rises[i] += u64::from(value > before[i]);
                self.falls[i] += u64::from(value < before[i]);
            }
        }
        self.before = Some(row);
    }

    /// The order, if it differs from t, x, y, p: the column that decreases least often is the time.
    ///
    /// # Errors
    /// An order that must be specified.
    pub(super) fn order(&self) -> Result<Option<Order>, String> {
        let steps = self.rows.saturating_sub(1);
        let most_faulty = self.not_pixels[1].max(self.not_pixels[2]).max(self.not_polarities[3]);
        let may_be_time = |&i: &usize| {
            let is_clock = self.rises[i] > 0 && !is_no_clock(self.falls[i], steps);
            is_clock && self.not_polarities[i] > 0 && (i > 0 || 2 * most_faulty <= self.rows)
        };
        let time = (0..4).filter(may_be_time).min_by_key(|&i| self.falls[i]);
        let example = match time {
            None | Some(0) => return Ok(None),
            Some(2) if self.not_pixels[0] + self.not_pixels[1] + self.not_polarities[3] == 0 => {
                return Ok(Some(Order::XYTP));
            }
            Some(1) => "x,t,y,p",
            Some(2) => "x,y,t,p",
            Some(_) => "x,y,p,t",
        };
        Err(format!(
            "nothing names the columns, and they do not fit t, x, y, p, the usual order: column {} is the one that rises as \
             times do; {}",
            time.unwrap_or(0) + 1,
            how_to_name(example)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_run_backwards_all_along_are_told_from_disorder() {
        let reversed: Vec<i64> = (0..200).rev().collect();
        assert_eq!(backwards(&reversed), Some((199, 1)));
        let shuffled: Vec<i64> = (0..1000).map(|i| i * 617 % 1009).collect();
        assert!(backwards(&shuffled).is_some());
        // Neighbours swapped, in a long recording and in a short one; tens of events swapped; ten
        // concatenated recordings, with and without such disorder; a clock that was set back.
        let swapped: Vec<i64> = (0..4000).map(|i| i ^ 1).collect();
        let short: Vec<i64> = (0..40).map(|i| i ^ 1).collect();
        let tens: Vec<i64> = (0..200).map(|i| i / 10 * 10 + 9 - i % 10).collect();
        let joined: Vec<i64> = (0..4000).map(|i| i % 400).collect();
        let both: Vec<i64> = (0..4000).map(|i| (i ^ 1) % 400).collect();
        let set_back: Vec<i64> = (0..10).map(|i| if i < 5 { i + 100 } else { i }).collect();
        for t in [&swapped[..], &short, &tens, &joined, &both, &set_back, &[], &[4], &[5, 4, 3]] {
            assert_eq!(backwards(t), None);
        }
    }

    #[test]
    fn the_column_that_falls_least_is_the_time() {
        let look = |rows: &[[f64; 4]]| {
            let mut look = Look::default();
            rows.iter().for_each(|&row| look.add(row));
            look.order()
        };
        let rows = |place: usize, scale: f64| -> Vec<[f64; 4]> {
            let row = |i: i32| {
                let (t, x, y, p) = (f64::from(100 + 9 * i) * scale, i * 37 % 50, i * 23 % 40, i / 3 % 2);
                let [x, y, p] = [x, y, p].map(f64::from);
                [[t, x, y, p], [x, t, y, p], [x, y, t, p], [x, y, p, t]][place]
            };
            (0..60).map(row).collect()
        };
        for scale in [1.0, 1e-3] {
            assert_eq!(look(&rows(0, scale)), Ok(None));
            assert_eq!(look(&rows(2, scale)), Ok(Some(Order::XYTP)));
            for (place, order) in [(1, "--columns x,t,y,p"), (3, "--columns x,y,p,t")] {
                let error = look(&rows(place, scale)).unwrap_err();
                assert!(error.contains(order), "{error}");
            }
        }
        // Nothing increases: the order is unchanged, and each event is faulty.
        assert_eq!(look(&[[5.0, 1.5, 2.0, 1.0]; 9]), Ok(None));
        assert_eq!(look(&[]), Ok(None));
    }
}
