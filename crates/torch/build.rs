//! Compiles the C++ shim against libtorch, and puts libtorch on the library path of `cargo run`, `cargo test`
//! and doc tests of every crate that depends on this one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

const NO_LIBTORCH: &str = "libtorch is not set up: run `cargo xtask setup` in the workspace, or set LIBTORCH \
    to the folder of a libtorch 2.11.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");

    let libraries = PathBuf::from(env::var("DEP_TCH_LIBTORCH_LIB").expect(NO_LIBTORCH));
    let include = libraries.parent().expect(NO_LIBTORCH).join("include");
    assert!(include.join("ATen/ATen.h").is_file(), "{NO_LIBTORCH} ({} is missing)", include.display());

    link_libraries(&libraries);

    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/shim.cpp")
        .file("shim/optimizer.cpp")
        // libtorch's own headers are system headers, so our warnings do not apply to them.
        .flag("-isystem")
        .flag(include.to_str().expect("libtorch's path is not UTF-8"))
        .flag("-isystem")
        .flag(include.join("torch/csrc/api/include").to_str().expect("libtorch's path is not UTF-8"))
        .flag("-fopenmp")
        .compile("tks_shim");
}

/// Cargo puts a native search path on the library path of programs and tests only if it lies within the build
/// folder; hence a link there.
fn link_libraries(libraries: &Path) {
    let link = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("torchlib");
    let libraries = fs::canonicalize(libraries).unwrap_or_else(|error| panic!("{NO_LIBTORCH} ({error})"));
    if fs::read_link(&link).ok().as_deref() != Some(&libraries) {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&libraries, &link)
            .unwrap_or_else(|error| panic!("cannot link {}: {error}", link.display()));
    }
    println!("cargo:rustc-link-search=native={}", link.display());
}
