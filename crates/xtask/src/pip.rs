//! Fetching wheels with pip into a folder, with failures told as what to do about them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::python::{self, Pip};

/// What the CPU libraries need beside torch.
pub(crate) const CPU: [&str; 3] =
    ["torch==2.11.0", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"];

/// What torch 2.11.0 asks for on Linux, its Python packages left out; NVRTC compiles the neuron kernels.
pub(crate) const CUDA: [&str; 16] = [
    "torch==2.11.0",
    "nvidia-cublas==13.1.0.3",
    "nvidia-cuda-cupti==13.0.85",
    NVRTC,
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cudnn-cu13==9.19.0.56",
    "nvidia-cufft==12.0.0.61",
    "nvidia-cufile==1.15.1.6",
    "nvidia-curand==10.4.0.35",
    "nvidia-cusolver==12.0.4.66",
    "nvidia-cusparse==12.6.3.3",
    "nvidia-cusparselt-cu13==0.8.0",
    "nvidia-nccl-cu13==2.28.9",
    "nvidia-nvjitlink==13.0.88",
    "nvidia-nvshmem-cu13==3.4.5",
    "nvidia-nvtx==13.0.85",
];

/// The run-time compiler of CUDA kernels.
pub(crate) const NVRTC: &str = "nvidia-cuda-nvrtc==13.0.88";

/// glibc generations that the pinned wheels are tagged with. Named one by one, as old pips take
/// `--platform` literally.
const PLATFORMS: [&str; 9] = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
    "manylinux2010_x86_64",
    "manylinux1_x86_64",
];

/// Unpacks `packages` (each with its exact version) into the folder `into`. `wheels`: take them from this
/// folder instead of the network.
pub(crate) fn install(packages: &[&str], into: &Path, wheels: Option<&Path>) -> Result<()> {
    let python = match python::find_pip() {
        Pip::Of(python) => python,
        Pip::LackedBy(python) => bail!(
            "`{python}` has no pip, which fetches libtorch; install it (Debian, Ubuntu: `apt install \
             python3-pip`), or set LIBTORCH to a libtorch of your own"
        ),
        Pip::NoPython => bail!(
            "no Python, whose pip fetches libtorch; install it (Debian, Ubuntu: `apt install python3-pip`), \
             or set LIBTORCH to a libtorch of your own"
        ),
    };
    if let Some(folder) = wheels.filter(|folder| !folder.is_dir()) {
        bail!("--wheels: {} is not a folder", folder.display());
    }
    let temporary = into.with_extension("tmp");
    std::fs::create_dir_all(&temporary).with_context(|| format!("cannot make {}", temporary.display()))?;

    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]);
    // Any Python will do: the wheels' Python files are not used, so one interpreter's are as good as another's.
    command.args(["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12"]);
    for platform in PLATFORMS {
        command.args(["--platform", platform]);
    }
    if let Some(wheels) = wheels {
        command.arg("--no-index").arg("--find-links").arg(wheels);
    }
    command.arg("--target").arg(into).args(packages);
    // pip unpacks in its temporary folder first: on the disk that was checked for room, cleared with the rest.
    command.env("TMPDIR", &temporary);
    // Settings for installing into an environment, which this is not.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");

    let mut child =
        command.stderr(Stdio::piped()).spawn().with_context(|| format!("cannot run `{python} -m pip`"))?;
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if !line.contains("Running pip as the 'root' user") {
                eprintln!("{line}");
                said.push_str(&line);
                said.push('\n');
            }
        }
    }
    let status = child.wait().with_context(|| format!("cannot run `{python} -m pip`"))?;
    let _ = std::fs::remove_dir_all(&temporary);
    if !status.success() {
        bail!("pip could not fetch {}: {}", packages.join(" "), remedy(&said, wheels.is_some()));
    }
    Ok(())
}

/// What to do about a failed pip, judged by what it said; `from_folder`: it was not to use the network.
fn remedy(said: &str, from_folder: bool) -> &'static str {
    let any = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if any(&["No space left on device", "Errno 28", "Errno 122"]) {
        "the disk is full; make room, or set XDG_CACHE_HOME to a folder on another disk, and run again"
    } else if from_folder {
        "the folder of --wheels does not have all of these, for Linux on x86-64; the command to fetch them is in \
         the docs, chapter Set-up"
    } else if any(&["NewConnectionError", "Connection broken", "ConnectTimeout", "ReadTimeout", "ProxyError"])
        || any(&["Max retries exceeded", "Name or service not known", "Temporary failure in name resolution"])
    {
        "no network; connect and run again, or fetch the wheels elsewhere and pass their folder as --wheels, \
         or set LIBTORCH to a libtorch of your own (docs, chapter Set-up)"
    } else if any(&["CERTIFICATE_VERIFY_FAILED", "SSLError"]) {
        "the package index's certificate is not trusted; set PIP_CERT to your organisation's certificates"
    } else if any(&["No matching distribution", "Could not find a version"]) {
        "the package index that pip is configured for does not have these versions for Linux on x86-64, or was \
         not reached; see `pip config list`, or set LIBTORCH to a libtorch of your own (docs, chapter Set-up)"
    } else {
        "its own message is above; run again, or set LIBTORCH to a libtorch of your own (docs, chapter Set-up)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        assert!(remedy("OSError: [Errno 28] No space left on device", false).contains("disk is full"));
        assert!(
            remedy("WARNING: Retrying after connection broken by 'NewConnectionError'", false)
                .contains("no network")
        );
        assert!(
            remedy("ERROR: No matching distribution found for torch==2.11.0", false)
                .contains("pip config list")
        );
        assert!(remedy("ERROR: No matching distribution found", true).contains("folder of --wheels"));
        assert!(remedy("Traceback", false).contains("message is above"));
    }

    #[test]
    fn every_package_is_pinned() {
        for package in CPU.iter().chain(&CUDA) {
            assert!(package.contains("=="), "{package}");
        }
        assert!(CPU.iter().all(|package| CUDA.contains(package)));
    }
}
