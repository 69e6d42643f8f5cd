//! Python on this machine: which one has pip, and whether one has torch installed.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Interpreters to try, in this order.
const NAMES: [&str; 2] = ["python3", "python"];

/// Prints the folder of an installed torch without importing it, which would take seconds.
const FIND_TORCH: &str = "import importlib.util as u, os; s = u.find_spec('torch'); \
    print(os.path.dirname(s.origin) if s and s.origin else '')";

fn answer(python: &str, arguments: &[&str]) -> Option<Output> {
    // An activated environment's variables matter, cargo's do not: none need to be removed.
    Command::new(python).args(arguments).output().ok().filter(|output| output.status.success())
}

/// The folder `torch` of the first Python that has torch installed.
pub(crate) fn installed_torch() -> Option<PathBuf> {
    NAMES.iter().find_map(|python| {
        let output = answer(python, &["-c", FIND_TORCH])?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then(|| PathBuf::from(text))
    })
}

/// The result of the search for a Python with pip.
#[derive(Debug, PartialEq)]
pub(crate) enum Pip {
    /// This interpreter has it.
    Of(&'static str),
    /// This interpreter exists, but without pip.
    LackedBy(&'static str),
    /// No interpreter.
    NoPython,
}

/// Looks for a Python with pip.
pub(crate) fn find_pip() -> Pip {
    let mut found = Pip::NoPython;
    for python in NAMES {
        if answer(python, &["-m", "pip", "--version"]).is_some() {
            return Pip::Of(python);
        }
        if found == Pip::NoPython && answer(python, &["--version"]).is_some() {
            found = Pip::LackedBy(python);
        }
    }
    found
}
