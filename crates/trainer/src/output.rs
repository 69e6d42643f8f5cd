//! Lines on standard output and standard error. A line that a full disk swallows is an error, as a script that reads the
//! file would take what is there for the whole; a reader that has gone (`| head`) is none.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Prints a line on standard output.
///
/// # Errors
/// It cannot be written, other than to a pipe that was closed.
pub(crate) fn print(text: &str) -> Result<()> {
    line(&mut io::stdout().lock(), text).context("cannot write to standard output")
}

/// Prints a line on standard error.
///
/// # Errors
/// As [`print`].
pub(crate) fn eprint(text: &str) -> Result<()> {
    line(&mut io::stderr().lock(), text).context("cannot write to standard error")
}

fn line(out: &mut impl Write, text: &str) -> io::Result<()> {
    // Flushed here, since what is lost at the end of the process is lost without a word.
    unless_closed(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// What remains of the result of a write once closed pipes are forgiven.
pub(crate) fn unless_closed(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn only_a_closed_pipe_is_forgiven() {
        assert!(line(&mut Refusing(io::ErrorKind::BrokenPipe), "text").is_ok());
        assert!(line(&mut Refusing(io::ErrorKind::StorageFull), "text").is_err());
        let mut memory = Vec::new();
        line(&mut memory, "text").unwrap();
        assert_eq!(memory, b"text\n");
    }
}
