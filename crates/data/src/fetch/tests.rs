//! A single download, with readers and clocks that no server has.

use std::io;

use super::*;

/// Returns pieces, with an interruption before each.
struct Interrupted<'a> {
    pieces: std::slice::Iter<'a, &'a [u8]>,
    is_due: bool,
}

impl Read for Interrupted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.is_due = !self.is_due;
        if self.is_due {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(piece) = self.pieces.next() else { return Ok(0) };
        out[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

/// Fails at once.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("broken"))
    }
}

fn file(size: Stated<u64>, checksums: &[&str]) -> SourceFile {
    SourceFile {
        name: "toy.zip".into(),
        url: Address::Manual,
        size,
        max_size: None,
        checksums: checksums.iter().map(|sum| sum.parse().unwrap()).collect(),
        note: None,
        optional: false,
    }
}

const MD5_OF_ABC: &str = "md5:900150983cd24fb0d6963f7d28e17f72";

/// Stage, bytes present, total bytes.
type Report = (Stage, u64, Option<u64>);

/// Runs `work` with a download of `file` into a new folder; returns the part's bytes and the reports.
fn with_download<T>(
    file: &SourceFile,
    options: &FetchOptions,
    work: impl FnOnce(&mut Download<'_, '_>) -> T,
) -> (T, Vec<u8>, Vec<Report>) {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("toy.zip.part");
    let handle = OpenOptions::new().create(true).read(true).append(true).open(&part).unwrap();
    let origin = Origin::Folder("mirror/toy.zip".into());
    let mut reports = Vec::new();
    let mut progress = |p: Progress<'_>| reports.push((p.stage, p.done, p.total));
    let begun = Instant::now();
    let mut download =
        Download { file, origin: &origin, options, progress: &mut progress, part: &part, handle, begun };
    let result = work(&mut download);
    (result, std::fs::read(&part).unwrap(), reports)
}

#[test]
fn an_interrupted_read_is_repeated_and_a_broken_one_is_an_error() {
    let file = file(Stated::Value(5), &[MD5_OF_ABC]);
    let mut digests = Digests::new(&file.checksums);
    let (result, part, reports) = with_download(&file, &FetchOptions::default(), |download| {
        let pieces = [b"a".as_slice(), b"bc"];
        let mut reader = Interrupted { pieces: pieces.iter(), is_due: false };
        let mut done = 2;
        download.copy(&mut reader, &mut done, None, &mut digests).map(|()| done)
    });
    assert_eq!((result.unwrap(), part.as_slice()), (5, b"abc".as_slice()));
    let reported = [0, 1, 3].map(|more| (Stage::Fetching, 2 + more, Some(5)));
    assert_eq!(reports, reported);
    assert!(digests.finish().is_ok());

    let (result, ..) = with_download(&file, &FetchOptions::default(), |download| {
        download.copy(&mut Broken, &mut 3, Some(5), &mut Digests::new(&[]))
    });
    let error = result.unwrap_err().to_string();
    assert_eq!(
        error,
        "mirror/toy.zip: broken (after 3 bytes of 5); what came is kept: fetch again to go on from there"
    );
}

#[test]
fn the_most_bytes_of_a_file_are_its_size_else_what_is_stated_else_the_options() {
    let options = FetchOptions { max_bytes: 4, ..Default::default() };
    let unknown = file(Stated::Unknown, &[]);
    let stated = SourceFile { max_size: Some(6), ..unknown.clone() };
    let sized = SourceFile { max_size: Some(6), size: Stated::Value(9), ..unknown.clone() };
    for (file, limit, is_stated) in [(&unknown, 4, false), (&stated, 6, true), (&sized, 9, true)] {
        let (result, ..) = with_download(file, &options, |download| (download.limit(), download.too_long()));
        assert_eq!(result.0, limit);
        assert!(
            matches!(result.1, DataError::TooLong { limit: found, is_stated: is, .. } if found == limit && is == is_stated)
        );
    }
    // Of a file of unknown size, at most this many bytes are accepted, and nothing is kept of a longer one.
    for (length, fits) in [(4, true), (5, false)] {
        let bytes = vec![1; length];
        let (result, part, _) = with_download(&unknown, &options, |download| {
            download.copy(&mut bytes.as_slice(), &mut 0, None, &mut Digests::new(&[]))
        });
        assert_eq!((result.is_ok(), part.len()), (fits, if fits { length } else { 0 }));
        // The same if the server states the size beforehand.
        let (result, part, _) = with_download(&unknown, &options, |download| {
            download.copy(&mut bytes.as_slice(), &mut 0, Some(length as u64), &mut Digests::new(&[]))
        });
        assert_eq!((result.is_ok(), part.len()), (fits, if fits { length } else { 0 }));
    }
    // A download longer than the stated size is a different file.
    let (result, ..) = with_download(&sized, &options, |download| {
        download.copy(&mut [1; 10].as_slice(), &mut 0, None, &mut Digests::new(&[]))
    });
    let error = result.unwrap_err();
    assert!(matches!(error, DataError::WrongSize { stated: 9, found: 10, .. }), "{error}");
    let (result, ..) = with_download(&sized, &options, |download| {
        (download.check_size(9), download.check_size(8), download.check_size(10))
    });
    assert!(result.0.is_ok() && result.1.is_err() && result.2.is_err());
}

#[test]
fn a_part_is_taken_up_only_if_it_can_be_told_whose_it_is() {
    let with = |file: &SourceFile, from: Option<&str>| {
        with_download(file, &FetchOptions::default(), |download| {
            download.handle.write_all(b"abc").unwrap();
            if let Some(text) = from {
                std::fs::write(beside(download.part, ".from"), text).unwrap();
            }
            let mut digests = Digests::new(&download.file.checksums);
            (download.resume(&mut digests).unwrap(), digests.finish().is_ok())
        })
    };
    let resuming = |total| vec![(Stage::Resuming, 3, total)];
    let checked = file(Stated::Unknown, &[MD5_OF_ABC]);
    assert_eq!(with(&checked, None), ((3, true), b"abc".to_vec(), resuming(None)));
    let sized = |size| SourceFile { size: Stated::Value(size), ..checked.clone() };
    assert_eq!(with(&sized(3), None), ((3, true), b"abc".to_vec(), resuming(Some(3))));
    // Larger than the file, so it belongs to another one.
    assert_eq!(with(&sized(2), None), ((0, false), Vec::new(), vec![]));
    let unchecked = file(Stated::Unknown, &[]);
    for (from, taken) in [
        (None, 0),
        (Some("mirror/toy.zip\n\"state\""), 3),
        (Some("mirror/toy.zip\n"), 0),
        (Some("mirror/toy.zip"), 0),
        (Some("another/toy.zip\n\"state\""), 0),
    ] {
        let ((resumed, _), part, _) = with(&unchecked, from);
        assert_eq!((resumed, part.len() as u64), (taken, taken), "{from:?}");
    }
}

#[test]
fn what_a_slow_connection_brought_is_kept() {
    /// One byte every one and a half seconds.
    struct Slow;
    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(1050));
            out[..10].fill(1);
            Ok(10)
        }
    }
    let file = file(Stated::Value(30), &[]);
    let copy = |min_bytes_per_s, total_timeout_s| {
        let options =
            FetchOptions { min_bytes_per_s, speed_window_s: 1, total_timeout_s, ..Default::default() };
        with_download(&file, &options, |download| {
            download.copy(&mut Slow.take(30), &mut 0, Some(30), &mut Digests::new(&[]))
        })
    };
    // Ten bytes arrive in each window: enough for a speed of ten.
    let (result, part, _) = copy(10, 3600);
    assert!(result.is_ok() && part.len() == 30, "{result:?}");
    let (result, part, _) = copy(11, 3600);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("fewer than 11 bytes a second came over 1 s (after 10 bytes of 30)"), "{error}");
    assert_eq!(part.len(), 10);
    let (result, part, _) = copy(0, 2);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the file took more than 2 s (after 20 bytes of 30)"), "{error}");
    assert_eq!(part.len(), 20);
}

#[test]
fn the_wait_doubles_up_to_a_limit() {
    let options = FetchOptions { retry_wait_ms: 10, ..Default::default() };
    let waits = [1, 2, 3, 7, 8, 1000].map(|failures| options.wait_after(failures).as_millis());
    assert_eq!(waits, [10, 20, 40, 640, 640, 640]);
    let options = FetchOptions { retry_wait_ms: u64::MAX, ..Default::default() };
    assert_eq!(options.wait_after(2), Duration::from_millis(u64::MAX));
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let http = |status| DataError::Http { url: String::new(), status };
    let cut = DataError::Connection { origin: String::new(), done: 0, total: None, message: String::new() };
    let cases = [(cut, true), (DataError::NoEnd { origin: String::new() }, false)];
    for (error, passing) in cases.into_iter().chain(
        [(500, true), (503, true), (599, true), (429, true), (499, false), (430, false), (404, false)]
            .map(|(status, passing)| (http(status), passing)),
    ) {
        assert_eq!(is_passing(&error), passing, "{error}");
    }
}

#[test]
fn checksums_are_of_all_that_was_written() {
    let sha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let both = [MD5_OF_ABC, sha256].map(|sum| sum.parse::<Checksum>().unwrap());
    let mut digests = Digests::new(&both);
    assert_eq!(digests.write(b"ab").unwrap(), 2);
    digests.flush().unwrap();
    digests.update(b"c");
    assert_eq!(digests.finish(), Ok(()));
    let mut digests = Digests::new(&both[1..]);
    digests.update(b"abd");
    let (stated, found) = digests.finish().unwrap_err();
    assert_eq!(stated, both[1]);
    assert_eq!(found.to_string(), "sha256:a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9");
    assert_eq!(Digests::new(&[]).finish(), Ok(()));
}
