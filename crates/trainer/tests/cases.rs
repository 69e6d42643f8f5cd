//! Inputs that once exposed a fault, each with the correct answer, run through the built program.
//!
//! The folders under `datasets/cases`, or under `TKS_CASES` if that is set, each contain an `expected.toml`,
//! which is described in `docs/src/cases.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

/// A run that takes longer counts as hanging.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// A case: its description, and the commands to run in a copy of its folder, in order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "about")]
    _about: String,
    /// Programs of the operating system needed by the commands; if one is missing, the case is skipped with a
    /// message.
    #[serde(default)]
    needs: Vec<String>,
    run: Vec<Run>,
}

/// A command and every correct outcome: that of the table itself, or one of `or`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// Arguments for `tks`.
    #[serde(default)]
    args: Vec<String>,
    /// A script for `sh` instead, with the program's path in `$TKS`.
    shell: Option<String>,
    #[serde(default)]
    exit: Exit,
    #[serde(default)]
    stdout: Vec<String>,
    #[serde(default)]
    stderr: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    once: Vec<String>,
    #[serde(default)]
    json: BTreeMap<String, Value>,
    #[serde(default)]
    files: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    or: Vec<Outcome>,
}

/// The expected outcome of a command. Texts are compared ignoring case and white space.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    #[serde(default)]
    exit: Exit,
    /// Texts contained in the standard output.
    #[serde(default)]
    stdout: Vec<String>,
    /// Texts contained in the standard error.
    #[serde(default)]
    stderr: Vec<String>,
    /// Texts contained in neither.
    #[serde(default)]
    absent: Vec<String>,
    /// Texts contained exactly once in the standard error.
    #[serde(default)]
    once: Vec<String>,
    /// Fields of the last JSON object in the standard output.
    #[serde(default)]
    json: BTreeMap<String, Value>,
    /// Text files that exist afterwards, and texts that they contain.
    #[serde(default)]
    files: BTreeMap<String, Vec<String>>,
}

/// The exit status of a command.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Exit {
    Code(i32),
    Word(Word),
}

/// An exit status given as a word.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Any status except 0.
    Error,
    /// Any status.
    Any,
}

impl Default for Exit {
    fn default() -> Exit {
        Exit::Code(0)
    }
}

/// The results of a command.
struct Done {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Run {
    fn outcomes(&self) -> Vec<Outcome> {
        let own = Outcome {
            exit: self.exit.clone(),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            absent: self.absent.clone(),
            once: self.once.clone(),
            json: self.json.clone(),
            files: self.files.clone(),
        };
        std::iter::once(own).chain(self.or.iter().cloned()).collect()
    }

    fn command(&self) -> (Command, String) {
        let program = env!("CARGO_BIN_EXE_tks");
        if let Some(script) = &self.shell {
            let mut command = Command::new("sh");
            command.args(["-c", script]).env("TKS", program);
            return (command, script.clone());
        }
        let mut command = Command::new(program);
        command.args(&self.args);
        (command, format!("tks {}", self.args.join(" ")))
    }

    /// Runs the command in `folder`; returns what is wrong with its outcome.
    fn check(&self, folder: &Path) -> Result<(), String> {
        let (mut command, shown) = self.command();
        let done = finish(command.current_dir(folder)).map_err(|problem| format!("{shown}: {problem}"))?;
        let mut problems = Vec::new();
        for outcome in self.outcomes() {
            match outcome.differs(&done, folder) {
                None => return Ok(()),
                Some(problem) => problems.push(problem),
            }
        }
        Err(format!(
            "{shown}\n    {}\n    ended with {}\n    stdout: {}\n    stderr: {}",
            problems.join("\n    or "),
            done.status,
            shorten(&done.stdout),
            shorten(&done.stderr)
        ))
    }
}

/// Lower case, with white space as single blanks: the line breaks of a terminal are irrelevant.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth_back(1500) {
        Some((at, _)) => format!("... {}", &text[at..]),
        None => text.to_string(),
    }
}

impl Outcome {
    /// The difference from this outcome, if any.
    fn differs(&self, done: &Done, folder: &Path) -> Option<String> {
        let (stdout, stderr) = (plain(&done.stdout), plain(&done.stderr));
        let right = match (&self.exit, done.status.code()) {
            (_, None) => false,
            (Exit::Code(wanted), Some(code)) => *wanted == code,
            (Exit::Word(Word::Error), Some(code)) => code != 0,
            (Exit::Word(Word::Any), Some(_)) => true,
        };
        if !right {
            return Some(format!("the exit status should be {:?}", self.exit));
        }
        if stderr.contains("panicked at") {
            return Some("it panicked".into());
        }
        for (texts, place, output) in [(&self.stdout, "output", &stdout), (&self.stderr, "error", &stderr)] {
            if let Some(text) = texts.iter().find(|text| !output.contains(&plain(text))) {
                return Some(format!("`{text}` should stand in the standard {place}"));
            }
        }
        let both = [&stdout, &stderr];
        if let Some(text) = self.absent.iter().find(|text| both.iter().any(|o| o.contains(&plain(text)))) {
            return Some(format!("`{text}` should not be printed"));
        }
        for text in &self.once {
            let count = stderr.matches(&plain(text)).count();
            if count != 1 {
                return Some(format!("`{text}` should stand in the standard error once, not {count} times"));
            }
        }
        self.json_differs(&done.stdout).or_else(|| self.files_differ(folder))
    }

    fn json_differs(&self, stdout: &str) -> Option<String> {
        if self.json.is_empty() {
            return None;
        }
        let objects = serde_json::Deserializer::from_str(stdout).into_iter::<Value>();
        let Some(object) = objects.map_while(Result::ok).filter(Value::is_object).last() else {
            return Some("the standard output should hold a JSON object".into());
        };
        self.json.iter().find_map(|(key, wanted)| {
            let found = &object[key.as_str()];
            (found != wanted).then(|| format!("{key} should be {wanted}, and is {found}"))
        })
    }

    fn files_differ(&self, folder: &Path) -> Option<String> {
        self.files.iter().find_map(|(name, texts)| {
            let Ok(bytes) = std::fs::read(folder.join(name)) else {
                return Some(format!("the file {name} should be there"));
            };
            let found = plain(&String::from_utf8_lossy(&bytes));
            let missing = texts.iter().find(|text| !found.contains(&plain(text)))?;
            Some(format!("`{missing}` should stand in the file {name}"))
        })
    }
}

/// Runs a command to its end without input, for at most [`TIME_LIMIT`].
fn finish(command: &mut Command) -> Result<Done, String> {
    let outputs = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = |name: &str| std::fs::File::create(outputs.path().join(name)).map_err(|e| e.to_string());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file("stdout")?)
        .stderr(file("stderr")?)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if begun.elapsed() > TIME_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("still running after {} s", TIME_LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = |name: &str| {
        let bytes = std::fs::read(outputs.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Done { status, stdout: text("stdout"), stderr: text("stderr") })
}

/// Copies a case's folder, with links as links, so that files written by a command are discarded.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else {
            std::fs::write(target, std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Runs a case's commands in a copy of its folder, up to the first with a wrong outcome.
fn check(folder: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(folder.join("expected.toml"))
        .map_err(|error| format!("expected.toml: {error}"))?;
    let case: Case = toml::from_str(&text).map_err(|error| format!("expected.toml: {error}"))?;
    let missing = |program: &&String| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
        !found.is_ok_and(|output| output.status.success())
    };
    if let Some(program) = case.needs.iter().find(missing) {
        eprintln!("{}: skipped: {program} is not installed", folder.display());
        return Ok(());
    }
    let place = tempfile::tempdir().map_err(|error| error.to_string())?;
    let copied = place.path().join("case");
    copy(folder, &copied).map_err(|error| format!("cannot be copied: {error}"))?;
    case.run.iter().try_for_each(|run| run.check(&copied))
}

fn folders() -> (PathBuf, Vec<PathBuf>) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/cases");
    let root = std::env::var_os("TKS_CASES").map_or(shipped, PathBuf::from);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    (root, folders)
}

#[test]
fn cases() {
    let (root, folders) = folders();
    assert!(!folders.is_empty(), "{} holds no folders", root.display());
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(problem) = check(folder) {
                        failures.lock().unwrap().insert(folder.clone(), problem);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let mut told = String::new();
    for (folder, problem) in &failures {
        let _ = writeln!(told, "{}: {problem}", folder.file_name().unwrap_or_default().display());
    }
    assert!(failures.is_empty(), "{} of {} cases failed:\n{told}", failures.len(), folders.len());
}

/// A test of the comparison itself: a case that never fails protects nothing.
#[test]
fn an_outcome_that_differs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there.txt"), "what was written").unwrap();
    let done = finish(Command::new("sh").args(["-c", "echo '{\"events\": 3}'; echo one cause >&2; exit 2"]));
    let done = done.unwrap();
    let told = |toml: &str| toml::from_str::<Outcome>(toml).unwrap().differs(&done, folder.path());
    for right in [
        "exit = 2",
        "exit = 'error'",
        "exit = 'any'\nstdout = ['Events']\nstderr = ['one  cause']\nonce = ['cause']\nabsent = ['two']",
        "exit = 2\njson = { events = 3 }\nfiles = { 'there.txt' = ['was written'] }",
    ] {
        assert_eq!(told(right), None, "{right}");
    }
    for wrong in [
        "exit = 0",
        "exit = 2\nstdout = ['cause']",
        "exit = 2\nstderr = ['events']",
        "exit = 2\nabsent = ['cause']",
        "exit = 2\nonce = ['e']\nstdout = ['events']",
        "exit = 2\njson = { events = 4 }",
        "exit = 2\njson = { sensor = [3, 4] }",
        "exit = 2\nfiles = { 'there.txt' = ['other'] }",
        "exit = 2\nfiles = { 'elsewhere.txt' = [] }",
    ] {
        assert!(told(wrong).is_some(), "{wrong}");
    }
    let killed = finish(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap();
    assert!(toml::from_str::<Outcome>("exit = 'any'").unwrap().differs(&killed, folder.path()).is_some());
}
