//! Running checksums of a file being downloaded.

use std::io::Write;

use sha2::Digest;

use crate::manifest::Checksum;

/// The running checksums of a file, to be compared with the stated ones.
pub(super) struct Digests {
    running: Vec<(Checksum, Running)>,
}

enum Running {
    Md5(md5::Md5),
    Sha256(sha2::Sha256),
}

impl Digests {
    pub(super) fn new(stated: &[Checksum]) -> Self {
        let begin = |stated: &Checksum| match stated {
            Checksum::Md5(_) => Running::Md5(md5::Md5::new()),
            Checksum::Sha256(_) => Running::Sha256(sha2::Sha256::new()),
        };
        Digests { running: stated.iter().map(|stated| (stated.clone(), begin(stated))).collect() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.running {
            match running {
                Running::Md5(digest) => digest.update(bytes),
                Running::Sha256(digest) => digest.update(bytes),
            }
        }
    }

    /// Succeeds if all are as stated; otherwise returns the first that differs, as stated and as found.
    pub(super) fn finish(self) -> Result<(), (Checksum, Checksum)> {
        for (stated, running) in self.running {
            let found = match running {
                Running::Md5(digest) => Checksum::Md5(digest.finalize().into()),
                Running::Sha256(digest) => Checksum::Sha256(digest.finalize().into()),
            };
            if stated != found {
                return Err((stated, found));
            }
        }
        Ok(())
    }
}

impl Write for Digests {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
