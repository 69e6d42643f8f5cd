//! Check for a C++17 compiler, which torch-sys and the shim of `tks-torch` need.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

const PROGRAM: &str = "#include <string_view>\n\
    static_assert(__cplusplus >= 201703L);\n\
    int main() { return static_cast<int>(std::string_view{}.size()); }\n";

const REMEDY: &str = "install one (Debian, Ubuntu: `apt install g++`; Fedora: `dnf install gcc-c++`), \
    or name yours in the variable CXX";

/// Compiles and links a small C++17 program with the compiler that the build will use.
pub(crate) fn check() -> Result<()> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let mut words = compiler.split_whitespace();
    let program = words.next().unwrap_or("c++");
    let object = std::env::temp_dir().join(format!("tks-setup-{}", std::process::id()));
    let child = Command::new(program)
        .args(words)
        .args(["-std=c++17", "-x", "c++", "-", "-lgomp", "-o"])
        .arg(&object)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => bail!("no C++ compiler: cannot run `{program}` ({error}); {REMEDY}"),
    };
    if let Some(mut input) = child.stdin.take() {
        // A compiler that stops at once closes its input; its own message below is more informative than this
        // error.
        let _ = input.write_all(PROGRAM.as_bytes());
    }
    let answer = child.wait_with_output().with_context(|| format!("cannot run `{compiler}`"))?;
    let _ = std::fs::remove_file(&object);
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        bail!("`{compiler}` does not build a C++17 program with OpenMP's library; {REMEDY}\n{}", said.trim());
    }
    Ok(())
}
