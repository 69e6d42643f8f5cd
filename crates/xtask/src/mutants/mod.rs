//! `cargo xtask mutants`: measures how much the tests notice. The mutants are those listed by cargo-mutants;
//! here, a whole sample is compiled at once, each mutant behind a switch, so that a crate is built once
//! instead of once per mutant: minutes instead of hours on two cores.

mod instrument;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use instrument::Instrumented;

/// Options of `cargo xtask mutants`.
#[derive(Args, Debug)]
pub(crate) struct MutantsOptions {
    /// The package, such as tks-loss
    package: String,
    /// Maximum number of its mutants, drawn with the seed
    #[arg(long, default_value_t = 150)]
    sample: usize,
    /// Another seed draws another sample
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only mutants of these files, as cargo-mutants takes them (crates/trainer/src/run_folder/**)
    #[arg(long)]
    file: Vec<String>,
    /// Only these test programs (lib, or a file's name below tests/); all unless given
    #[arg(long)]
    test: Vec<String>,
}

/// A mutant as `cargo mutants --list --json` describes it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mutant {
    name: String,
    file: PathBuf,
    genre: String,
    replacement: String,
    span: Span,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Span {
    start: Position,
    end: Position,
}

/// Both count from 1; columns are in characters.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

/// The outcome of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// A test failed, or exceeded the time limit.
    Caught,
    /// Every test that executes it passed.
    Missed,
    /// No test executes it.
    NotReached,
    /// It does not compile behind a switch, for example in a constant.
    NotJudged,
}

/// Judges a sample of a package's mutants, and prints those that no test notices.
pub(crate) fn run(workspace: &Path, options: &MutantsOptions) -> Result<()> {
    let mutants = sample(list(workspace, options)?, options.sample, options.seed);
    if mutants.is_empty() {
        bail!("cargo-mutants lists no mutant of `{}` in these files", options.package);
    }
    let folder = workspace.join("target/mutants").join(&options.package);
    let tree = folder.join("tree");
    copy_tracked(workspace, &tree)?;
    let target = workspace.join("target/mutants/target");
    let mut build = Build { tree: &tree, package: &options.package, tests: &options.test, target };
    let (programs, dropped) = build.until_it_compiles(&mutants)?;
    let tests = run::Tests::new(programs, &folder, mutants.len())?;
    let mut report = String::new();
    let mut counts = BTreeMap::new();
    for (id, mutant) in mutants.iter().enumerate() {
        let outcome = if dropped.contains(&id) { Outcome::NotJudged } else { tests.judge(id)? };
        *counts.entry(outcome).or_insert(0usize) += 1;
        let line = format!("{outcome:?}: {}\n", mutant.name);
        print!("{line}");
        report.push_str(&line);
    }
    let count = |outcome| counts.get(&outcome).copied().unwrap_or(0);
    let judged = mutants.len() - count(Outcome::NotJudged);
    let summary = format!(
        "{}: {} of {judged} caught ({:.1}%), {} missed, {} not reached; {} more do not compile behind a switch\n",
        options.package,
        count(Outcome::Caught),
        100.0 * count(Outcome::Caught) as f64 / judged.max(1) as f64,
        count(Outcome::Missed),
        count(Outcome::NotReached),
        count(Outcome::NotJudged),
    );
    print!("{summary}");
    let path = folder.join("outcomes.txt");
    fs::write(&path, report + &summary).with_context(|| format!("cannot write {}", path.display()))
}

fn list(workspace: &Path, options: &MutantsOptions) -> Result<Vec<Mutant>> {
    let mut command = Command::new("cargo");
    command.current_dir(workspace).args(["mutants", "--list", "--json", "-p", &options.package]);
    for file in &options.file {
        command.args(["-f", file]);
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`cargo mutants --list` failed; if it is missing: `cargo install --locked cargo-mutants`");
    }
    let mut mutants: Vec<Mutant> =
        serde_json::from_slice(&output.stdout).context("cannot understand the list of cargo-mutants")?;
    // The root of a binary has no switch; it is a shell around the library.
    mutants.retain(|mutant| !mutant.file.ends_with("src/main.rs"));
    Ok(mutants)
}

/// The mutants whose names come first in an order shuffled with the seed, in the order of the list: the same
/// sources and seed give the same sample.
fn sample(mutants: Vec<Mutant>, most: usize, seed: u64) -> Vec<Mutant> {
    let mut chosen: Vec<(u64, usize)> =
        mutants.iter().enumerate().map(|(at, mutant)| (drawn(&mutant.name, seed), at)).collect();
    chosen.sort_unstable();
    chosen.truncate(most);
    chosen.sort_unstable_by_key(|&(_, at)| at);
    chosen.into_iter().map(|(_, at)| mutants[at].clone()).collect()
}

/// A hash of a name and a seed (FNV-1a, then mixed, since its high bits hardly depend on the last letters).
fn drawn(name: &str, seed: u64) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

/// Copies the tracked files of the working tree. Unchanged files keep their modification time; files that no
/// longer exist are removed.
fn copy_tracked(workspace: &Path, tree: &Path) -> Result<()> {
    let output = Command::new("git").current_dir(workspace).args(["ls-files", "-z"]).output();
    let output = output.context("cannot run git")?;
    let names = String::from_utf8(output.stdout)?;
    if tree.is_dir() {
        let tracked: BTreeSet<&Path> = names.split_terminator('\0').map(Path::new).collect();
        remove_others(tree, tree, &tracked)?;
    }
    for name in names.split_terminator('\0') {
        let (from, to) = (workspace.join(name), tree.join(name));
        let Ok(bytes) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|present| present == bytes) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(tree))?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

fn remove_others(folder: &Path, tree: &Path, tracked: &BTreeSet<&Path>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, tree, tracked)?;
        } else if !tracked.contains(path.strip_prefix(tree)?) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Builds the tests of a package with its mutants.
struct Build<'a> {
    tree: &'a Path,
    package: &'a str,
    /// Only these programs; all if there are none.
    tests: &'a [String],
    target: PathBuf,
}

impl Build<'_> {
    /// Leaves out mutants that do not compile behind a switch until the rest compiles; returns the test
    /// programs and the numbers of the mutants left out.
    fn until_it_compiles(&mut self, mutants: &[Mutant]) -> Result<(Vec<run::Program>, Vec<usize>)> {
        let mut originals = BTreeMap::new();
        for mutant in mutants {
            let path = self.tree.join(&mutant.file);
            originals.insert(mutant.file.clone(), fs::read_to_string(&path)?);
        }
        let root = self.package_folder()?.join("src/lib.rs");
        let root_name = root.strip_prefix(self.tree).map(Path::to_path_buf)?;
        originals.entry(root_name.clone()).or_insert(fs::read_to_string(&root)?);
        let mut dropped = Vec::new();
        loop {
            let mut files = BTreeMap::new();
            for (file, text) in &originals {
                let here = mutants
                    .iter()
                    .enumerate()
                    .filter(|(id, mutant)| mutant.file == *file && !dropped.contains(id));
                let mut instrumented = Instrumented::new(text, here)?;
                if *file == root_name {
                    instrumented.text.push_str(&instrument::switch(mutants.len()));
                }
                dropped.extend(&instrumented.unplaced);
                fs::write(self.tree.join(file), &instrumented.text)?;
                files.insert(file.clone(), instrumented);
            }
            let (messages, success) = self.compile()?;
            if success {
                dropped.sort_unstable();
                return Ok((messages.programs, dropped));
            }
            let before = dropped.len();
            for (file, start) in &messages.errors {
                let at_fault = files.get(file).and_then(|file| file.mutant_at(*start));
                if let Some(id) = at_fault.filter(|id| !dropped.contains(id)) {
                    dropped.push(id);
                }
            }
            if dropped.len() == before {
                bail!("the package does not compile with its mutants: {}", messages.first_error);
            }
            println!("{} mutants do not compile behind a switch: left out", dropped.len() - before);
        }
    }

    fn package_folder(&self) -> Result<PathBuf> {
        let output = Command::new("cargo")
            .current_dir(self.tree)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()?;
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let packages = metadata["packages"].as_array().context("cargo names no packages")?;
        let package = packages.iter().find(|package| package["name"] == self.package);
        let manifest = package.and_then(|package| package["manifest_path"].as_str());
        let manifest =
            manifest.with_context(|| format!("the workspace has no package `{}`", self.package))?;
        Ok(Path::new(manifest).parent().unwrap_or(self.tree).to_path_buf())
    }

    fn compile(&self) -> Result<(Messages, bool)> {
        let mut wanted = Vec::new();
        for test in self.tests {
            match test.as_str() {
                "lib" => wanted.push("--lib"),
                name => wanted.extend(["--test", name]),
            }
        }
        let output = Command::new("cargo")
            .current_dir(self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .args(["test", "--no-run", "--message-format=json", "-p", self.package])
            .args(&wanted)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        let folder = self.package_folder()?;
        Ok((Messages::read(&output.stdout, &folder), output.status.success()))
    }
}

/// The messages of a build by cargo.
#[derive(Default)]
struct Messages {
    programs: Vec<run::Program>,
    /// File and first byte.
    errors: Vec<(PathBuf, usize)>,
    first_error: String,
}

impl Messages {
    fn read(lines: &[u8], folder: &Path) -> Self {
        let mut messages = Messages::default();
        for line in lines.split(|&byte| byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            if let (Some(path), true) = (line["executable"].as_str(), line["profile"]["test"] == true) {
                let kind = line["target"]["kind"][0].as_str().unwrap_or_default();
                let name =
                    if kind == "test" { line["target"]["name"].as_str().unwrap_or_default() } else { kind };
                messages.programs.push(run::Program {
                    name: name.to_owned(),
                    path: path.into(),
                    folder: folder.to_path_buf(),
                });
            }
            let message = &line["message"];
            if message["level"] == "error" {
                if messages.first_error.is_empty() {
                    messages.first_error = message["rendered"].as_str().unwrap_or_default().to_owned();
                }
                for span in message["spans"].as_array().into_iter().flatten() {
                    if let (Some(file), Some(start)) =
                        (span["file_name"].as_str(), span["byte_start"].as_u64())
                    {
                        messages.errors.push((file.into(), start as usize));
                    }
                }
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_a_sample_of_its_own() {
        let position = Position { line: 1, column: 1 };
        let all: Vec<Mutant> = (0..1000)
            .map(|at| Mutant {
                name: format!("src/a.rs:{at}:5: replace + with -"),
                file: "src/a.rs".into(),
                genre: "BinaryOperator".into(),
                replacement: "-".into(),
                span: Span { start: position, end: position },
            })
            .collect();
        let names = |most, seed| -> Vec<String> {
            sample(all.clone(), most, seed).into_iter().map(|mutant| mutant.name).collect()
        };
        let first = names(100, 0);
        assert_eq!(first.len(), 100);
        assert_eq!(first, names(100, 0));
        assert!(names(150, 0).iter().filter(|name| first.contains(name)).count() == 100);
        let shared = names(100, 1).iter().filter(|name| first.contains(name)).count();
        assert!((2..=20).contains(&shared), "{shared} of 100 would be in both by chance about 10 times");
        let place = |name: &String| all.iter().position(|mutant| mutant.name == *name).unwrap();
        assert!(first.iter().map(place).is_sorted());
        assert!((30..=70).contains(&first.iter().filter(|name| place(name) < 500).count()));
        assert_eq!(names(5000, 3).len(), 1000);
    }
}
