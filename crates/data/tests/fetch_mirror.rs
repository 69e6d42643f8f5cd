//! Downloading from a folder: which files, where they are stored, what is reported, and how far a server is
//! trusted.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tks_data::DataError;
use tks_data::fetch::{FetchOptions, FetchOutcome, FileState, Progress, Stage, fetch, verify};
use tks_data::manifest::{Checksum, Manifest};

/// A manifest of these files: name, address, size, checksums, and further fields.
fn manifest(files: &[(&str, &str, &str, &str, &str)]) -> Manifest {
    let mut text = String::from(
        r#"
version = 1
name = "toy"
title = "Toy"
kind = "images"
layout = "toy"
size = "varies"
channels = 1
classes = 2
page = "https://example.org/toy"
licence = "unknown"
citation = "none"
splits = [{ name = "official", rule = "official", parts = { train = 1 } }]
"#,
    );
    for (name, url, size, checksums, more) in files {
        text += &format!(
            "[[files]]\nname = \"{name}\"\nurl = \"{url}\"\nsize = {size}\nchecksums = [{checksums}]\n{more}\n"
        );
    }
    Manifest::parse(&text, Path::new("toy.toml")).unwrap()
}

const SUM: &str = "\"md5:900150983cd24fb0d6963f7d28e17f72\"";

#[test]
fn what_is_shipped_is_passed_over_and_what_is_optional_unless_asked_for() {
    let mirror = tempfile::tempdir().unwrap();
    std::fs::create_dir(mirror.path().join("deep")).unwrap();
    for name in ["a.zip", "deep/b.zip", "c.zip"] {
        std::fs::write(mirror.path().join(name), "abc").unwrap();
    }
    let manifest = manifest(&[
        ("a.zip", "manual", "3", SUM, ""),
        ("deep/b.zip", "https://example.org/b.zip", "3", "", "optional = true"),
        ("c.zip", "shipped", "3", "", ""),
    ]);
    for (optional, expected) in [(false, vec!["a.zip"]), (true, vec!["a.zip", "deep/b.zip"])] {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Some(mirror.path().display().to_string());
        let options = FetchOptions { mirror, optional, ..Default::default() };
        let fetched = fetch(&manifest, folder.path(), &options, &mut |_| {}).unwrap();
        let paths: Vec<_> =
            fetched.iter().map(|file| file.path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(paths, expected.iter().map(Path::new).collect::<Vec<_>>());
        for file in &fetched {
            assert_eq!(file.how, FetchOutcome::Fetched { resumed_from: 0 });
            assert_eq!(std::fs::read(&file.path).unwrap(), b"abc");
            assert!(!file.path.with_extension("zip.part").exists());
        }
        let again = fetch(&manifest, folder.path(), &options, &mut |_| {}).unwrap();
        assert!(again.iter().all(|file| file.how == FetchOutcome::AlreadyThere));
    }
}

#[test]
fn a_part_of_a_mirrors_file_is_gone_on_with() {
    let (mirror, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(mirror.path().join("a.zip"), "abc").unwrap();
    let options =
        FetchOptions { mirror: Some(mirror.path().display().to_string()), retries: 0, ..Default::default() };
    let fetch = |manifest: &Manifest, seen: &mut Vec<(Stage, u64, Option<u64>)>| {
        let progress = &mut |p: Progress<'_>| {
            assert_eq!(p.file, "a.zip");
            seen.push((p.stage, p.done, p.total));
        };
        fetch(manifest, folder.path(), &options, progress).map(|files| files[0].how)
    };
    // What exists, how much of it is used, what is reported.
    let fetching = |from: u64, total| {
        let mut steps = vec![(Stage::Fetching, from, Some(total))];
        steps.extend((from < total).then_some((Stage::Fetching, total, Some(total))));
        steps
    };
    let resumed = |there| vec![(Stage::Resuming, there, Some(3))];
    for (part, resumed_from, steps) in [
        ("", 0, fetching(0, 3)),
        ("ab", 2, [resumed(2), fetching(2, 3)].concat()),
        ("abc", 3, resumed(3)),
        ("abcd", 0, fetching(0, 3)),
        // It begins as a different file, which the checksum reveals; it is then downloaded from the start.
        ("xb", 0, [resumed(2), fetching(2, 3), fetching(0, 3)].concat()),
    ] {
        let _ = std::fs::remove_file(folder.path().join("a.zip"));
        std::fs::write(folder.path().join("a.zip.part"), part).unwrap();
        let mut seen = Vec::new();
        let how = fetch(&manifest(&[("a.zip", "manual", "3", SUM, "")]), &mut seen).unwrap();
        assert_eq!((how, seen), (FetchOutcome::Fetched { resumed_from }, steps), "{part}");
        assert_eq!(std::fs::read(folder.path().join("a.zip")).unwrap(), b"abc");
    }
    // If the manifest states no size, the mirror's file determines it: a longer part does not belong to that
    // file.
    std::fs::remove_file(folder.path().join("a.zip")).unwrap();
    std::fs::write(folder.path().join("a.zip.part"), "abcdef").unwrap();
    fetch(&manifest(&[("a.zip", "manual", "\"unknown\"", SUM, "")]), &mut Vec::new()).unwrap();
    assert_eq!(std::fs::read(folder.path().join("a.zip")).unwrap(), b"abc");
}

#[test]
fn a_mirrors_file_of_another_size_or_content_is_not_kept() {
    let (mirror, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = FetchOptions { mirror: Some(mirror.path().display().to_string()), ..Default::default() };
    let fetch = || {
        let manifest = manifest(&[("a.zip", "manual", "3", SUM, "")]);
        fetch(&manifest, folder.path(), &options, &mut |_| {}).unwrap_err()
    };
    for (content, found) in [("ab", 2), ("abcd", 4)] {
        std::fs::write(mirror.path().join("a.zip"), content).unwrap();
        let error = fetch();
        let DataError::WrongSize { path, stated: 3, found: told, .. } = &error else { panic!("{error}") };
        assert_eq!((path, *told), (&mirror.path().join("a.zip"), found));
    }
    std::fs::write(mirror.path().join("a.zip"), "abd").unwrap();
    let error = fetch();
    let DataError::WrongChecksum { path, origin, stated, found } = &error else { panic!("{error}") };
    assert_eq!(path, &folder.path().join("a.zip"));
    assert_eq!(origin, &mirror.path().join("a.zip").display().to_string());
    assert_eq!(
        (stated.as_str(), found.as_str()),
        ("md5:900150983cd24fb0d6963f7d28e17f72", "md5:4911e516e5aa21d327512e0c8b197616")
    );
}

#[test]
fn what_is_there_is_compared_with_what_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let state = |size: &str, checksums: &str| {
        let found = verify(&manifest(&[("a.zip", "manual", size, checksums, "")]), folder.path()).unwrap();
        assert_eq!(found[0].0, "a.zip");
        (found[0].1.clone(), found[0].1.to_string())
    };
    assert_eq!(state("3", SUM), (FileState::Missing, "missing".to_string()));
    std::fs::write(folder.path().join("a"), "a file where a folder should be").unwrap();
    let through_a_file = manifest(&[("a/b.zip", "manual", "3", SUM, "")]);
    let error = verify(&through_a_file, folder.path()).unwrap_err();
    assert!(
        matches!(error, DataError::Io { doing: "open", .. }),
        "what cannot be told is not missing: {error}"
    );
    std::fs::write(folder.path().join("a.zip"), "abc").unwrap();
    assert_eq!(state("3", SUM), (FileState::Good, "as the manifest states".to_string()));
    assert_eq!(state("\"unknown\"", SUM).0, FileState::Good);
    assert_eq!(state("3", "").0, FileState::Unchecked);
    assert_eq!(
        state("4", SUM),
        (
            FileState::WrongSize { stated: 4, found: 3 },
            "wrong: it has 3 bytes where the manifest states 4".to_string()
        )
    );
    let sum = "md5:00000000000000000000000000000000";
    let (found, said) = state("3", &format!("\"{sum}\""));
    let expected: Checksum = "md5:900150983cd24fb0d6963f7d28e17f72".parse().unwrap();
    assert!(matches!(&found, FileState::WrongChecksum { found, .. } if *found == expected), "{found:?}");
    assert_eq!(said, format!("wrong: its checksum is {expected} where the manifest states {sum}"));
}

/// A server that returns these answers in turn, repeating the last one; returns its address and the request
/// heads it received.
fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/a.zip", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).unwrap_or(0) > 2 {}
            seen.lock().unwrap().push(head.to_lowercase());
            let answer = answers.get(number).unwrap_or(&answers[answers.len() - 1]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, heads)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

#[test]
fn what_passes_is_tried_again_as_often_as_allowed() {
    for (status, tries) in [("500 No", 3), ("429 Slowly", 3), ("404 No", 1), ("400 No", 1)] {
        let folder = tempfile::tempdir().unwrap();
        let (address, heads) = server(vec![answer(status, "", "")]);
        let options = FetchOptions { retries: 2, retry_wait_ms: 0, ..Default::default() };
        let mut retrying = 0;
        let progress = &mut |p: Progress<'_>| retrying += usize::from(p.stage == Stage::Retrying);
        let error = fetch(&manifest(&[("a.zip", &address, "3", SUM, "")]), folder.path(), &options, progress)
            .unwrap_err();
        assert!(matches!(error, DataError::Http { .. }), "{error}");
        assert_eq!((heads.lock().unwrap().len(), retrying), (tries, tries - 1), "{status}");
    }
}

#[test]
fn only_a_strong_state_is_compared_and_noted() {
    let cases = [
        ("ETag: \"one\"\r\n", Some("\"one\"")),
        ("ETag: W/\"one\"\r\n", None),
        ("ETag: W/\"one\"\r\nLast-Modified: then\r\n", Some("then")),
        ("Last-Modified: then\r\n", Some("then")),
    ];
    for (headers, state) in cases {
        let folder = tempfile::tempdir().unwrap();
        // Truncated after two of three bytes.
        let first = answer("200 OK", headers, "abc").replace("\r\n\r\nabc", "\r\n\r\nab");
        let rest = answer("206 Partial Content", &format!("Content-Range: bytes 2-2/3\r\n{headers}"), "c");
        let whole = answer("200 OK", headers, "abc");
        let (address, heads) = server(vec![first, if state.is_some() { rest } else { whole }]);
        let manifest = manifest(&[("a.zip", &address, "\"unknown\"", "", "")]);
        let options = FetchOptions { retries: 1, retry_wait_ms: 0, ..Default::default() };
        fetch(&manifest, folder.path(), &options, &mut |_| {}).unwrap();
        assert_eq!(std::fs::read(folder.path().join("a.zip")).unwrap(), b"abc", "{headers}");
        let heads = heads.lock().unwrap();
        assert!(!heads[0].contains("range:"), "{}", heads[0]);
        match state {
            Some(state) => {
                assert!(heads[1].contains("range: bytes=2-\r\n"), "{}", heads[1]);
                assert!(heads[1].contains(&format!("if-range: {state}\r\n")), "{}", heads[1]);
            }
            None => assert!(!heads[1].contains("range:"), "{}", heads[1]),
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_page_for_people_is_refused_unless_it_is_what_was_asked_for() {
    let page = answer("200 OK", "Content-Type: text/html\r\n", "abc");
    for (name, is_refused) in [("a.zip", true), ("index.html", false)] {
        let folder = tempfile::tempdir().unwrap();
        let (address, _) = server(vec![page.clone()]);
        let manifest = manifest(&[(name, &address, "3", "", "")]);
        let result = fetch(&manifest, folder.path(), &FetchOptions::default(), &mut |_| {});
        assert_eq!(matches!(result, Err(DataError::WebPage { .. })), is_refused, "{name}: {result:?}");
    }
}
