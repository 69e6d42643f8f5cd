//! The required contents of a libtorch folder, and the location of the workspace's link to one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The version for which tch and torch-sys 0.24 are written.
pub(crate) const VERSION: &str = "2.11.0";

const NEEDED_FILES: [&str; 5] = [
    "include/ATen/ATen.h",
    "include/torch/csrc/api/include/torch/torch.h",
    "lib/libc10.so",
    "lib/libtorch.so",
    "lib/libtorch_cpu.so",
];

/// The path of the workspace's link to libtorch; `.cargo/config.toml` names the same path.
pub(crate) fn link_of(workspace: &Path) -> PathBuf {
    workspace.join(".libtorch/torch")
}

/// Checks that `folder` (with `include` and `lib` in it) is a complete libtorch of the right version, and
/// returns its version text, such as `2.11.0+cu130`.
pub(crate) fn check(folder: &Path) -> Result<String> {
    if !folder.is_dir() {
        bail!("{} is not a folder", folder.display());
    }
    if let Some(missing) = NEEDED_FILES.iter().find(|file| !folder.join(file).is_file()) {
        bail!("{} is not a whole libtorch: {missing} is missing", folder.display());
    }
    let version = version_of(folder)
        .with_context(|| format!("{} does not say which version of libtorch it is", folder.display()))?;
    if version.split('+').next() != Some(VERSION) {
        bail!("{} holds libtorch {version}, but {VERSION} is needed", folder.display());
    }
    Ok(version)
}

/// Whether the libtorch in `folder` can use NVIDIA GPUs.
pub(crate) fn has_cuda(folder: &Path) -> bool {
    folder.join("lib/libtorch_cuda.so").is_file()
}

/// Checks that the dynamic linker finds everything that the CPU library needs. Slower than [`check`]; for a
/// folder that is about to be linked.
pub(crate) fn check_loads(folder: &Path) -> Result<()> {
    let library = folder.join("lib/libtorch_cpu.so");
    // Without ldd (part of glibc's tools), this cannot be checked: the first test run will show it.
    let Ok(answer) = Command::new("ldd").arg(&library).output() else { return Ok(()) };
    let text = String::from_utf8_lossy(&answer.stdout);
    let missing: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with("not found"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if !missing.is_empty() {
        bail!("{} needs {}, which the system does not find", library.display(), missing.join(", "));
    }
    Ok(())
}

/// The version text: a libtorch archive and the downloads of `setup` have it in `build-version`, Python's
/// torch in `version.py`, and all of them, without its suffix, in a header.
fn version_of(folder: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(folder.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    if let Ok(text) = fs::read_to_string(folder.join("version.py")) {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        return line.split(['\'', '"']).nth(1).map(str::to_owned);
    }
    let header = fs::read_to_string(folder.join("include/torch/headeronly/version.h")).ok()?;
    let part = |name: &str| {
        let start = format!("#define TORCH_VERSION_{name} ");
        header.lines().find_map(|line| line.strip_prefix(&start)).map(str::trim)
    };
    Some(format!("{}.{}.{}", part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

/// Makes `link` (below the workspace) point to `target` atomically: concurrent readers see the old one or the
/// new one.
pub(crate) fn relink(link: &Path, target: &Path) -> Result<()> {
    let folder = link.parent().context("a link has a folder")?;
    if folder.is_symlink() {
        fs::remove_file(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if link.is_dir() && !link.is_symlink() {
        bail!("{} is a folder, not a link made by set-up; move it away and run again", link.display());
    }
    let beside = link.with_extension(format!("new-{}", std::process::id()));
    std::os::unix::fs::symlink(target, &beside)
        .and_then(|()| fs::rename(&beside, link))
        .with_context(|| format!("cannot link {} to {}", link.display(), target.display()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder with every required file, all empty, and a version.
    pub(crate) fn sham(folder: &Path, version: &str) {
        for file in NEEDED_FILES {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.join("build-version"), format!("{version}\n")).unwrap();
    }

    #[test]
    fn a_whole_folder_passes_and_tells_its_version() {
        let dir = tempfile::tempdir().unwrap();
        sham(dir.path(), "2.11.0+cu130");
        assert_eq!(check(dir.path()).unwrap(), "2.11.0+cu130");
        assert!(!has_cuda(dir.path()));
    }

    #[test]
    fn version_is_read_from_python_and_from_the_header() {
        let dir = tempfile::tempdir().unwrap();
        sham(dir.path(), "unused");
        fs::remove_file(dir.path().join("build-version")).unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("does not say"));
        let header = dir.path().join("include/torch/headeronly");
        fs::create_dir_all(&header).unwrap();
        let text = ["MAJOR 2", "MINOR 11", "PATCH 0"].map(|part| format!("#define TORCH_VERSION_{part}\n"));
        fs::write(header.join("version.h"), text.concat()).unwrap();
        assert_eq!(check(dir.path()).unwrap(), "2.11.0");
        fs::write(dir.path().join("version.py"), "x = 1\n__version__ = '2.11.0+cpu'\n").unwrap();
        assert_eq!(check(dir.path()).unwrap(), "2.11.0+cpu");
    }

    #[test]
    fn another_version_is_named() {
        let dir = tempfile::tempdir().unwrap();
        sham(dir.path(), "2.12.0");
        let message = check(dir.path()).unwrap_err().to_string();
        assert!(message.contains("holds libtorch 2.12.0, but 2.11.0 is needed"), "{message}");
        // a longer number that starts in the same way
        sham(dir.path(), "2.11.01");
        assert!(check(dir.path()).is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for file in NEEDED_FILES {
            sham(dir.path(), VERSION);
            fs::remove_file(dir.path().join(file)).unwrap();
            let message = check(dir.path()).unwrap_err().to_string();
            assert!(message.contains(file), "{message}");
        }
    }

    #[test]
    fn a_link_is_replaced_and_a_folder_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let link = link_of(dir.path());
        for name in ["first", "second"] {
            let target = dir.path().join(name);
            fs::create_dir(&target).unwrap();
            relink(&link, &target).unwrap();
            assert_eq!(link.canonicalize().unwrap(), target.canonicalize().unwrap());
        }
        assert_eq!(fs::read_dir(link.parent().unwrap()).unwrap().count(), 1);
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        assert!(relink(&link, dir.path()).is_err());
    }
}
