//! Runs tests with a mutant switched on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Outcome;

/// A test program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// `lib`, or the name of its file.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// The folder in which it runs.
    pub(crate) folder: PathBuf,
}

/// The test programs of a package, the quickest first.
pub(crate) struct Tests(Vec<Timed>);

/// A program, its duration, and the mutants that it executes.
struct Timed {
    program: Program,
    time: Duration,
    reached: BTreeSet<usize>,
}

/// The time limit with a mutant: this factor of the program's own duration, and a constant.
const SLOWDOWN: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

impl Tests {
    /// Runs each program once without a mutant: it must pass.
    pub(crate) fn new(programs: Vec<Program>, folder: &Path, mutants: usize) -> Result<Self> {
        let mut timed = Vec::new();
        for program in programs {
            let trace = folder.join(format!("{}.trace", program.name));
            fs::write(&trace, "").with_context(|| format!("cannot write {}", trace.display()))?;
            let start = Instant::now();
            if !start_of(&program, "trace", Some(&trace))?.wait()?.success() {
                bail!("the tests `{}` fail without a mutant: {}", program.name, program.path.display());
            }
            let lines = fs::read_to_string(&trace)?;
            let reached: BTreeSet<usize> = lines.lines().filter_map(|line| line.parse().ok()).collect();
            let time = start.elapsed();
            println!(
                "{}: {:.1} s, comes by {} of {mutants}",
                program.name,
                time.as_secs_f64(),
                reached.len()
            );
            timed.push(Timed { program, time, reached });
        }
        timed.sort_by_key(|timed| timed.time);
        Ok(Tests(timed))
    }

    /// Whether a test notices a mutant.
    pub(crate) fn judge(&self, id: usize) -> Result<Outcome> {
        let mut outcome = Outcome::NotReached;
        for timed in self.0.iter().filter(|timed| timed.reached.contains(&id)) {
            let child = start_of(&timed.program, &id.to_string(), None)?;
            if !passes(child, timed.time * SLOWDOWN + PATIENCE)? {
                return Ok(Outcome::Caught);
            }
            outcome = Outcome::Missed;
        }
        Ok(outcome)
    }
}

fn start_of(program: &Program, mutant: &str, trace: Option<&Path>) -> Result<Child> {
    let mut command = Command::new(&program.path);
    command.current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder).env("TKS_MUTANT", mutant);
    if let Some(trace) = trace {
        command.env("TKS_MUTANT_TRACE", trace);
    } else {
        // The first failure decides. (An option of the test harness that must be unlocked.)
        command.env("RUSTC_BOOTSTRAP", "1").args(["-Zunstable-options", "--fail-fast"]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("cannot run {}", program.path.display()))
}

/// Whether a program succeeds within the time limit.
fn passes(mut child: Child, limit: Duration) -> Result<bool> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
