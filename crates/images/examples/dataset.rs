//! Opens a data set by name and reports its contents and problems.
//!
//! ```text
//! cargo run --release -p tks-images --example dataset -- fashion-mnist /usr/share/datasets/fashion-mnist
//! cargo run --release -p tks-images --example dataset -- folder images/ --json
//! ```

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use tks_data::Catalogue;
use tks_data::manifest::Kind;
use tks_images::datasets::{CheckOptions, CheckReport, check, check_folder};

const CLASSES_SHOWN: usize = 10;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, root, json) = match arguments.as_slice() {
        [name, root] => (name, Path::new(root), false),
        [name, root, flag] if flag == "--json" => (name, Path::new(root), true),
        _ => {
            let manifests = Catalogue::BuiltIn.manifests()?;
            let of_images = manifests.iter().filter(|manifest| manifest.kind == Kind::Images);
            let known: Vec<&str> = of_images.map(|manifest| manifest.name.as_str()).collect();
            return Err(format!(
                "usage: dataset <name> <folder or archive> [--json]\nnames: {}, or `folder`",
                known.join(", ")
            )
            .into());
        }
    };
    let options = CheckOptions::default();
    let report =
        if name == "folder" { check_folder(root, &[], &options)? } else { check(name, root, &options)? };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(report.is_sound())
}

fn print(report: &CheckReport) {
    println!("{} in {}", report.dataset, report.root.display());
    for part in &report.parts {
        let expected = part.expected.map_or("not stated".to_owned(), |expected| expected.to_string());
        println!("\n{}: {} images (expected: {expected})", part.part, part.images);
        if let Some(failure) = &part.failure {
            println!("  {failure}");
        }
        for class in part.classes.iter().filter(|class| class.images > 0).take(CLASSES_SHOWN) {
            println!("  {:>6}  {}", class.images, class.class);
        }
        if part.classes.len() > CLASSES_SHOWN {
            println!("          ... {} classes in all", part.classes.len());
        }
        for left_out in &part.left_out {
            println!("  passed over: {left_out}");
        }
        for (kind, count) in &part.counts {
            println!("  {count} x {kind}");
        }
        for problem in part.problems.iter().take(CLASSES_SHOWN) {
            println!("  {}: {}: {}", problem.kind, problem.entry, problem.message);
        }
    }
    for note in &report.notes {
        println!("{note}");
    }
    println!("\n{}", if report.is_sound() { "sound" } else { "not sound" });
}
