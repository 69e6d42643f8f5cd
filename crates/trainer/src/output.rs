//! Output of lines on standard output and standard error. A line lost to a full disk is an error, since a
//! script would mistake the incomplete file for the whole output; a closed reader (`| head`) is not.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Prints a line on standard output.
///
/// # Errors
/// A failed write, except to a closed pipe.
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
    // Flushed here, since an error at the end of the process would not be noticed.
    unless_closed(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// The result of a write, with closed pipes ignored.
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
