//! Downloads from a small test server and from a folder: resumed, checked, complete or absent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use md5::Digest;
use tks_data::fetch::{FetchOptions, FetchOutcome, FileState, Stage, fetch, verify};
use tks_data::manifest::Manifest;
use tks_data::{DataError, fetch::Fetched};

/// The server's behaviour for the next requests.
#[derive(Clone, Default)]
struct Behaviour {
    data: Vec<u8>,
    ranges: bool,
    /// For each of the first requests, the number of body bytes after which the connection is closed.
    cut: Option<(usize, usize)>,
    status: Option<&'static str>,
    content_type: &'static str,
    etag: Option<&'static str>,
    /// The body's length is not stated.
    no_length: bool,
}

struct Server {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
    end: Arc<AtomicBool>,
}

impl Server {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Server {
            address: format!("http://{address}"),
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
            end: Arc::default(),
        };
        let (behaviour, requests, end) =
            (Arc::clone(&server.behaviour), Arc::clone(&server.requests), Arc::clone(&server.end));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                answer(stream.unwrap(), &behaviour, &requests);
            }
        });
        server
    }

    fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

fn answer(mut stream: TcpStream, behaviour: &Mutex<Behaviour>, requests: &Mutex<Vec<String>>) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.to_lowercase().strip_prefix(name).map(|value| value.trim().to_string()))
    };
    let mut behaviour = behaviour.lock().unwrap();
    let range = header("range:").filter(|_| behaviour.ranges);
    let same = header("if-range:").is_none_or(|tag| Some(tag.as_str()) == behaviour.etag);
    let start = range
        .filter(|_| same)
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    requests.lock().unwrap().push(format!(
        "{} from {}",
        head.lines().next().unwrap_or(""),
        start.unwrap_or(0)
    ));
    let total = behaviour.data.len();
    let mut text = match (behaviour.status, start) {
        (Some(status), _) => format!("HTTP/1.1 {status}\r\n"),
        (None, Some(start)) if start >= total => {
            let _ = stream.write_all(
                format!("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
            );
            return;
        }
        (None, Some(start)) => {
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}\r\n", total - 1)
        }
        (None, None) => "HTTP/1.1 200 OK\r\n".to_string(),
    };
    let body = behaviour.data[start.unwrap_or(0).min(total)..].to_vec();
    if !behaviour.no_length {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    if let Some(etag) = behaviour.etag {
        text += &format!("ETag: {etag}\r\n");
    }
    text += &format!("Content-Type: {}\r\nConnection: close\r\n\r\n", behaviour.content_type);
    let mut until = body.len();
    if let Some((bytes, times)) = behaviour.cut.filter(|(_, times)| *times > 0) {
        until = until.min(bytes);
        behaviour.cut = Some((bytes, times - 1));
    }
    drop(behaviour);
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.write_all(&body[..until]);
    let _ = stream.flush();
}

fn data() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect()
}

fn server(change: impl FnOnce(&mut Behaviour)) -> Server {
    let mut behaviour =
        Behaviour { data: data(), ranges: true, content_type: "application/zip", ..Default::default() };
    change(&mut behaviour);
    Server::start(behaviour)
}

fn md5_of(data: &[u8]) -> String {
    md5::Md5::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn manifest(address: &str, size: &str, checksums: &str) -> Manifest {
    let text = format!(
        r#"
version = 1
name = "toy"
title = "Toy"
kind = "events"
layout = "toy"
size = "varies"
channels = 2
classes = 2
page = "https://example.org/toy"
licence = "unknown"
citation = "none"
splits = [{{ name = "official", rule = "official", parts = {{ train = 1 }} }}]
files = [{{ name = "toy.zip", url = "{address}", size = {size}, checksums = [{checksums}] }}]
"#
    );
    Manifest::parse(&text, Path::new("toy.toml")).unwrap()
}

fn checked(server: &Server) -> Manifest {
    let data = data();
    let sum = sha2::Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sums = format!("\"md5:{}\", \"sha256:{sum}\"", md5_of(&data));
    manifest(&format!("{}/official/toy.zip", server.address), &data.len().to_string(), &sums)
}

fn unchecked(server: &Server) -> Manifest {
    manifest(&format!("{}/official/toy.zip", server.address), "\"unknown\"", "")
}

fn quick() -> FetchOptions {
    FetchOptions { retries: 2, retry_wait_ms: 1, ..Default::default() }
}

fn run(manifest: &Manifest, folder: &Path, options: &FetchOptions) -> Result<Fetched, DataError> {
    fetch(manifest, folder, options, &mut |_| {}).map(|mut files| files.remove(0))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_fetched_once_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|_| {});
    let manifest = checked(&server);
    let mut seen = Vec::new();
    fetch(&manifest, folder.path(), &quick(), &mut |p| seen.push((p.stage, p.done, p.total))).unwrap();
    assert_eq!(std::fs::read(folder.path().join("toy.zip")).unwrap(), data());
    assert_eq!(names(folder.path()), ["toy.zip"]);
    assert_eq!(seen[0], (Stage::Fetching, 0, Some(300_000)));
    assert_eq!(*seen.last().unwrap(), (Stage::Fetching, 300_000, Some(300_000)));
    assert!(seen.is_sorted_by_key(|(_, done, _)| *done));
    assert_eq!(server.requests(), ["GET /official/toy.zip HTTP/1.1 from 0"]);
    assert_eq!(run(&manifest, folder.path(), &quick()).unwrap().how, FetchOutcome::AlreadyThere);
    assert!(server.requests().is_empty());
    assert_eq!(verify(&manifest, folder.path()).unwrap(), [("toy.zip".to_string(), FileState::Good)]);
    assert_eq!(verify(&unchecked(&server), folder.path()).unwrap()[0].1, FileState::Unchecked);
}

#[test]
fn a_cut_connection_is_taken_up_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.cut = Some((100_000, 2)));
    let fetched = run(&checked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(fetched.how, FetchOutcome::Fetched { resumed_from: 0 });
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
    let starts: Vec<usize> =
        server.requests().iter().map(|r| r.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(starts.len(), 3);
    assert!(starts.is_sorted() && starts[1] > 0 && starts[2] > starts[1], "{starts:?}");
}

#[test]
fn a_later_run_takes_up_what_an_earlier_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.cut = Some((120_000, 1)));
    let manifest = checked(&server);
    let error = run(&manifest, folder.path(), &FetchOptions { retries: 0, ..quick() }).unwrap_err();
    assert!(matches!(error, DataError::Connection { total: Some(300_000), .. }), "{error}");
    assert!(error.to_string().contains("fetch again to go on from there"), "{error}");
    let there = std::fs::metadata(folder.path().join("toy.zip.part")).unwrap().len();
    assert!(there > 0 && there <= 120_000, "{there}");
    let fetched = run(&manifest, folder.path(), &quick()).unwrap();
    assert_eq!(fetched.how, FetchOutcome::Fetched { resumed_from: there });
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
    assert_eq!(names(folder.path()), ["toy.zip"]);
    assert!(server.requests()[1].ends_with(&format!("from {there}")));
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| {
        b.ranges = false;
        b.cut = Some((120_000, 1));
    });
    let fetched = run(&checked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
}

#[test]
fn a_length_that_is_not_told_is_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.no_length = true);
    let fetched = run(&checked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
    // If nothing shows that all of it arrived, it is not accepted as complete.
    std::fs::remove_file(fetched.path).unwrap();
    let error = run(&unchecked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::NoEnd { .. }), "{error}");
    assert!(!folder.path().join("toy.zip").exists());
    server.set(|b| b.cut = Some((100_000, 9)));
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::WrongSize { .. } | DataError::Connection { .. }), "{error}");
    assert!(!folder.path().join("toy.zip").exists());
}

#[test]
fn a_wrong_checksum_is_named_and_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.data[7] ^= 1);
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    let DataError::WrongChecksum { stated, found, .. } = &error else { panic!("{error}") };
    assert_eq!(stated, &format!("md5:{}", md5_of(&data())));
    assert_ne!(stated, found);
    assert!(error.to_string().contains("try a mirror"), "{error}");
    assert_eq!(std::fs::metadata(folder.path().join("toy.zip.part")).unwrap().len(), 0);
    assert!(!folder.path().join("toy.zip").exists());
    server.set(|b| b.data[7] ^= 1);
    run(&checked(&server), folder.path(), &quick()).unwrap();
}

#[test]
fn a_part_of_another_file_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|_| {});
    std::fs::write(folder.path().join("toy.zip.part"), vec![9; 1000]).unwrap();
    let fetched = run(&checked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(fetched.how, FetchOutcome::Fetched { resumed_from: 0 });
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
    // Also if the complete file was left as a part.
    std::fs::remove_file(&fetched.path).unwrap();
    std::fs::write(folder.path().join("toy.zip.part"), data()).unwrap();
    let fetched = run(&checked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(fetched.how, FetchOutcome::Fetched { resumed_from: 300_000 });
}

#[test]
fn without_a_checksum_only_the_same_state_of_the_file_is_taken_up() {
    for (later, resumes) in [("\"one\"", true), ("\"two\"", false)] {
        let folder = tempfile::tempdir().unwrap();
        let server = server(|b| {
            b.etag = Some("\"one\"");
            b.cut = Some((90_000, 1));
        });
        run(&unchecked(&server), folder.path(), &FetchOptions { retries: 0, ..quick() }).unwrap_err();
        server.requests();
        server.set(|b| {
            b.etag = Some(later);
            if !resumes {
                b.data.reverse();
            }
        });
        let fetched = run(&unchecked(&server), folder.path(), &quick()).unwrap();
        let mut expected = data();
        if !resumes {
            expected.reverse();
        }
        assert_eq!(std::fs::read(&fetched.path).unwrap(), expected);
        assert_eq!(server.requests()[0].ends_with("from 0"), !resumes);
        assert_eq!(names(folder.path()), ["toy.zip"]);
    }
}

#[test]
fn a_cut_file_that_nothing_can_be_compared_with_is_fetched_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.cut = Some((100_000, 1)));
    let fetched = run(&unchecked(&server), folder.path(), &quick()).unwrap();
    assert_eq!(std::fs::read(&fetched.path).unwrap(), data());
    assert_eq!(server.requests(), ["GET /official/toy.zip HTTP/1.1 from 0"; 2]);
}

#[test]
fn refusals_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.status = Some("404 Not Found"));
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::Http { status: 404, .. }), "{error}");
    assert_eq!(server.requests().len(), 1, "a file that is not there is not asked for again");
    server.set(|b| b.status = Some("503 Service Unavailable"));
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::Http { status: 503, .. }), "{error}");
    assert_eq!(server.requests().len(), 3);
    server.set(|b| (b.status, b.content_type) = (None, "text/html; charset=utf-8"));
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::WebPage { .. }), "{error}");
    server.set(|b| (b.content_type, b.data) = ("application/zip", vec![1; 10]));
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::WrongSize { stated: 300_000, found: 10, .. }), "{error}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = run(&manifest(&format!("http://{nobody}/x"), "1", ""), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::Connection { .. }), "{error}");
    let error = run(&manifest("manual", "1", ""), folder.path(), &quick()).unwrap_err();
    assert!(error.to_string().contains("get it from https://example.org/toy and put it at"), "{error}");
    std::fs::write(folder.path().join("toy.zip"), b"short").unwrap();
    let error = run(&checked(&server), folder.path(), &quick()).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[test]
fn mirrors_are_a_folder_or_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = tempfile::tempdir().unwrap();
    let server = server(|_| {});
    std::fs::write(mirror.path().join("toy.zip"), data()).unwrap();
    let target = folder.path().join("new/deeper");
    let options = FetchOptions { mirror: Some(mirror.path().display().to_string()), ..quick() };
    run(&checked(&server), &target, &options).unwrap();
    assert_eq!(std::fs::read(target.join("toy.zip")).unwrap(), data());
    assert!(server.requests().is_empty());
    // The mirror serves a file that its publisher offers only for manual download.
    let options = FetchOptions { mirror: Some(format!("{}/mirror/", server.address)), ..quick() };
    run(&manifest("manual", "300000", ""), folder.path(), &options).unwrap();
    assert_eq!(server.requests(), ["GET /mirror/toy.zip HTTP/1.1 from 0"]);
    let options = FetchOptions { mirror: Some("/nowhere/at/all".into()), ..quick() };
    std::fs::remove_file(folder.path().join("toy.zip")).unwrap();
    let error = run(&checked(&server), folder.path(), &options).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all/toy.zip"), "{error}");
}

#[test]
fn two_at_once_do_not_harm_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(|b| b.cut = Some((50_000, 3)));
    let manifest = checked(&server);
    let fetched = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                if run(&manifest, folder.path(), &quick()).unwrap().how != FetchOutcome::AlreadyThere {
                    fetched.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(fetched.into_inner(), 1);
    assert_eq!(std::fs::read(folder.path().join("toy.zip")).unwrap(), data());
    assert_eq!(names(folder.path()), ["toy.zip"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("toy.zip.part")).unwrap();
    let server = server(|_| {});
    let error = run(&unchecked(&server), folder.path(), &quick()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DataError::DiskFull { needed: Some(300_000), .. }), "{text}");
    assert!(text.contains("300000 bytes in all") && text.contains("toy.zip.part"), "{text}");
}

/// A server that handles each connection with `serve`, which is given the first requested byte. Returns its
/// address and the number of connections so far.
fn hostile(serve: impl Fn(&mut TcpStream, usize) + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/toy.zip", listener.local_addr().unwrap());
    let (serve, count) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut head).unwrap_or(0) > 2 {}
                let range = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
                });
                serve(&mut stream, range.unwrap_or(0));
            });
        }
    });
    (address, count)
}

/// The head of a response with the bytes from `start` on.
fn head(start: usize, more: &str) -> String {
    let (total, rest) = (data().len(), data().len() - start);
    match start {
        0 => format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {rest}\r\n{more}\r\n"),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: {rest}\r\nContent-Range: bytes {start}-{}/{total}\r\n{more}\r\n",
            total - 1
        ),
    }
}

fn say(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// A manifest with the right checksum and no size.
fn of_unknown_size(address: &str) -> Manifest {
    manifest(address, "\"unknown\"", &format!("\"md5:{}\"", md5_of(&data())))
}

#[test]
fn a_server_that_has_no_range_at_all_is_asked_a_few_times() {
    let (address, count) = hostile(|stream, _| {
        say(
            stream,
            "HTTP/1.1 416 No\r\nContent-Range: bytes */7\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
    });
    for left in [0, 7, 1000] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("toy.zip.part"), vec![1; left]).unwrap();
        let error = run(&of_unknown_size(&address), folder.path(), &quick()).unwrap_err();
        assert!(matches!(error, DataError::Http { status: 416, .. }), "{left}: {error}");
        assert!(count.swap(0, Ordering::Relaxed) <= 3, "{left}");
    }
}

#[test]
fn a_byte_a_connection_is_no_progress() {
    let folder = tempfile::tempdir().unwrap();
    let (address, count) = hostile(|stream, start| {
        say(stream, head(start, "ETag: \"a\"\r\n"));
        say(stream, &data()[start..=start]);
    });
    let error = run(&of_unknown_size(&address), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::Connection { done: 3, .. }), "{error}");
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[test]
fn bytes_that_trickle_in_and_silence_are_ended() {
    let (drip, _) = hostile(|stream, start| {
        say(stream, head(start, ""));
        for byte in data() {
            say(stream, [byte]);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let (silent, _) = hostile(|_, _| std::thread::sleep(std::time::Duration::from_secs(20)));
    let options = FetchOptions { speed_window_s: 1, retries: 0, ..quick() };
    for (address, said) in [(drip, "fewer than 1024 bytes a second"), (silent, "timeout")] {
        let folder = tempfile::tempdir().unwrap();
        let begun = std::time::Instant::now();
        let error = run(&of_unknown_size(&address), folder.path(), &options).unwrap_err();
        assert!(matches!(error, DataError::Connection { .. }) && error.to_string().contains(said), "{error}");
        assert!(begun.elapsed().as_secs() < 10);
    }
}

#[test]
fn a_file_that_takes_too_long_in_all_is_ended_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = hostile(|stream, start| {
        say(stream, head(start, ""));
        for piece in data()[start..].chunks(2000) {
            say(stream, piece);
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let options = FetchOptions { total_timeout_s: 1, ..quick() };
    let error = run(&of_unknown_size(&address), folder.path(), &options).unwrap_err();
    assert!(error.to_string().contains("more than 1 s"), "{error}");
    assert!(std::fs::metadata(folder.path().join("toy.zip.part")).unwrap().len() > 0);
}

#[test]
fn more_bytes_than_a_file_may_have_are_not_fetched() {
    let (endless, _) = hostile(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    let (huge, _) = hostile(|stream, _| {
        say(stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1u64 << 62));
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    for address in [endless, huge] {
        let folder = tempfile::tempdir().unwrap();
        let options = FetchOptions { max_bytes: 1_000_000, ..quick() };
        let error = run(&of_unknown_size(&address), folder.path(), &options).unwrap_err();
        assert!(matches!(error, DataError::TooLong { limit: 1_000_000, .. }), "{error}");
        assert_eq!(std::fs::metadata(folder.path().join("toy.zip.part")).unwrap().len(), 0);
        let mut manifest = of_unknown_size(&address);
        manifest.files[0].max_size = Some(400_000);
        let error = run(&manifest, folder.path(), &quick()).unwrap_err();
        assert!(matches!(error, DataError::TooLong { limit: 400_000, .. }), "{error}");
    }
}

#[test]
fn a_file_of_just_as_many_bytes_as_it_may_have_is_fetched() {
    let server = server(|_| {});
    for (max_size, fits) in [(300_000, true), (299_999, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = of_unknown_size(&format!("{}/toy.zip", server.address));
        manifest.files[0].max_size = Some(max_size);
        assert_eq!(run(&manifest, folder.path(), &quick()).is_ok(), fits, "{max_size}");
    }
}

#[test]
fn an_address_that_leads_round_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let (address, count) = hostile(|stream, _| {
        say(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: /toy.zip\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let error = run(&of_unknown_size(&address), folder.path(), &quick()).unwrap_err();
    assert!(matches!(error, DataError::Redirect { .. }), "{error}");
    assert!(count.load(Ordering::Relaxed) <= 12);
}

#[test]
fn another_part_than_was_asked_for_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = hostile(|stream, start| {
        say(stream, head(start, "").replace(&format!("bytes {start}-"), "bytes 5-"));
        say(stream, &data()[start..(start + 50_000).min(data().len())]);
    });
    let error = run(&of_unknown_size(&address), folder.path(), &quick()).unwrap_err();
    assert!(error.to_string().contains("another part of the file"), "{error}");
    assert!(!folder.path().join("toy.zip").exists());
}

#[test]
fn pieces_of_two_states_of_a_file_are_not_joined() {
    // The server ignores If-Range, and the file changes at the second request.
    let connections = AtomicUsize::new(0);
    let (address, _) = hostile(move |stream, start| {
        let number = connections.fetch_add(1, Ordering::Relaxed);
        let mut data = data();
        if number > 0 {
            data.reverse();
        }
        say(stream, head(start, if number == 0 { "ETag: \"a\"\r\n" } else { "ETag: \"b\"\r\n" }));
        say(stream, &data[start..if number == 0 { 90_000 } else { data.len() }]);
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = run(&manifest(&address, "\"unknown\"", ""), folder.path(), &quick()).unwrap();
    let mut expected = data();
    expected.reverse();
    assert_eq!(std::fs::read(fetched.path).unwrap(), expected);
}

#[test]
fn an_unchecked_file_is_called_so() {
    assert!(FileState::Unchecked.to_string().contains("not checked"));
}

#[test]
fn the_reader_of_requests_sees_whole_heads() {
    // A test of the test server: it answers a range as requested.
    let server = server(|_| {});
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nRange: bytes=299998-\r\n\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    assert!(text.starts_with(b"HTTP/1.1 206") && text.ends_with(&data()[299_998..]));
}
