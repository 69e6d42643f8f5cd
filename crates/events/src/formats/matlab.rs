//! MATLAB v5 `.mat`: ASL-DVS. Bi et al., ICCV 2019.
//!
//! Four vectors of one length, of any class of numbers: `ts` (us), `x`, `y` and `pol`, or by the other names that NumPy's
//! arrays have. Polarity is 1 or 0, or 1 or -1.

use tks_data::parse::mat::{MatValue, MatVariable, parse_mat};

use super::decoded::{COLUMN_NAMES, Decoded};
use crate::number::rounded;

/// First bytes of a file, which every known writer begins its text with.
pub(super) const MAGIC: &[u8] = b"MATLAB 5.0 MAT-file";

pub(super) fn decode(bytes: &[u8], mut decoded: Decoded) -> Decoded {
    let variables = match parse_mat(bytes) {
        Ok(variables) => variables,
        Err(error) => {
            decoded.stop(error.offset as usize, format!("{}; {}", error.problem, error.remedy));
            return decoded;
        }
    };
    let columns = COLUMN_NAMES.map(|names| column(&variables, names));
    let [Some(t), Some(x), Some(y), Some(p)] = columns else {
        let names: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
        decoded.stop(0, format!("vectors ts, x, y, pol are needed; the file has {names:?}"));
        return decoded;
    };
    let lengths = [t.len(), x.len(), y.len(), p.len()];
    if lengths.iter().any(|&length| length != lengths[0]) {
        decoded.stop(0, format!("the vectors ts, x, y, pol have {lengths:?} values"));
        return decoded;
    }
    decoded.extend_with(lengths[0], |i| [t[i], x[i], y[i], p[i]].map(rounded), |_| 0);
    decoded
}

/// The values of the first variable of one of these names that is a row or a column of numbers, or holds none.
fn column<'a>(variables: &'a [MatVariable], names: &[&str]) -> Option<&'a [f64]> {
    variables.iter().filter(|variable| names.contains(&variable.name.as_str())).find_map(|variable| {
        match &variable.value {
            MatValue::Numbers { dims, values } if dims.iter().filter(|&&size| size != 1).count() <= 1 => {
                Some(values.as_slice())
            }
            MatValue::Numbers { values, .. } if values.is_empty() => Some(&[]),
            _ => None,
        }
    })
}
