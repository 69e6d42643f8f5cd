//! Downloading of wheels with pip to a folder, with remedies for failures.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::python::{self, Pip};

/// A package with its version, and the SHA-256 of its wheel for Linux on x86-64, as published by PyPI.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wheel {
    pin: &'static str,
    sha256: &'static str,
}

const TORCH: Wheel = Wheel {
    pin: "torch==2.11.0",
    sha256: "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
};
const CUDA_RUNTIME: Wheel = Wheel {
    pin: "nvidia-cuda-runtime==13.0.96",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
};
const CUPTI: Wheel = Wheel {
    pin: "nvidia-cuda-cupti==13.0.85",
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
};

/// The run-time compiler of CUDA kernels.
pub(crate) const NVRTC: Wheel = Wheel {
    pin: "nvidia-cuda-nvrtc==13.0.88",
    sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
};

/// The packages that the CPU libraries need, including torch.
pub(crate) const CPU: [Wheel; 3] = [TORCH, CUDA_RUNTIME, CUPTI];

/// torch 2.11.0 and its dependencies on Linux, without Python packages; NVRTC compiles the neuron kernels.
pub(crate) const CUDA: [Wheel; 16] = [
    TORCH,
    Wheel {
        pin: "nvidia-cublas==13.1.0.3",
        sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
    },
    CUPTI,
    NVRTC,
    CUDA_RUNTIME,
    Wheel {
        pin: "nvidia-cudnn-cu13==9.19.0.56",
        sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
    },
    Wheel {
        pin: "nvidia-cufft==12.0.0.61",
        sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
    },
    Wheel {
        pin: "nvidia-cufile==1.15.1.6",
        sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
    },
    Wheel {
        pin: "nvidia-curand==10.4.0.35",
        sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    },
    Wheel {
        pin: "nvidia-cusolver==12.0.4.66",
        sha256: "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
    },
    Wheel {
        pin: "nvidia-cusparse==12.6.3.3",
        sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
    },
    Wheel {
        pin: "nvidia-cusparselt-cu13==0.8.0",
        sha256: "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
    },
    Wheel {
        pin: "nvidia-nccl-cu13==2.28.9",
        sha256: "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
    },
    Wheel {
        pin: "nvidia-nvjitlink==13.0.88",
        sha256: "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
    },
    Wheel {
        pin: "nvidia-nvshmem-cu13==3.4.5",
        sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
    },
    Wheel {
        pin: "nvidia-nvtx==13.0.85",
        sha256: "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
    },
];

/// The glibc versions in the tags of the pinned wheels. Listed one by one, since old versions of pip take
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

/// Unpacks `packages` to the folder `into`, each only if its wheel is the known one. `wheels`: use this
/// folder instead of the network.
pub(crate) fn install(packages: &[Wheel], into: &Path, wheels: Option<&Path>) -> Result<()> {
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

    let requirements = temporary.join("requirements.txt");
    std::fs::write(&requirements, requirements_of(packages))
        .with_context(|| format!("cannot write {}", requirements.display()))?;

    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]);
    // Any Python will do: the wheels' Python files are not used, so all interpreters are equivalent.
    command.args(["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12"]);
    for platform in PLATFORMS {
        command.args(["--platform", platform]);
    }
    if let Some(wheels) = wheels {
        command.arg("--no-index").arg("--find-links").arg(wheels);
    }
    command.arg("--require-hashes").arg("--target").arg(into).arg("--requirement").arg(&requirements);
    // pip unpacks in its temporary folder first: it is on the disk that was checked for space, and is removed
    // with the rest.
    command.env("TMPDIR", &temporary);
    // Settings for installing into an environment do not apply here.
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
        let pins: Vec<&str> = packages.iter().map(|wheel| wheel.pin).collect();
        bail!("pip could not fetch {}: {}", pins.join(" "), remedy(&said, wheels.is_some()));
    }
    Ok(())
}

/// The requirements for pip: a wheel with a different SHA-256 is not installed.
fn requirements_of(packages: &[Wheel]) -> String {
    packages.iter().map(|wheel| format!("{} --hash=sha256:{}\n", wheel.pin, wheel.sha256)).collect()
}

/// The remedy for a failure of pip, from its output; `from_folder`: it was not to use the network.
fn remedy(said: &str, from_folder: bool) -> &'static str {
    let any = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if any(&["No space left on device", "Errno 28", "Errno 122"]) {
        "the disk is full; make room, or set XDG_CACHE_HOME to a folder on another disk, and run again"
    } else if any(&["DO NOT MATCH THE HASHES"]) {
        "a wheel is another one than PyPI publishes: its SHA-256 is not that in crates/xtask/src/pip.rs; clear pip's \
         cache (`pip cache purge`), and see `pip config list` for where it came from"
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
    fn every_package_is_pinned_by_version_and_hash() {
        for wheel in CUDA {
            assert!(wheel.pin.contains("=="), "{wheel:?}");
            assert!(
                wheel.sha256.len() == 64 && wheel.sha256.bytes().all(|b| b.is_ascii_hexdigit()),
                "{wheel:?}"
            );
        }
        assert!(CPU.iter().chain(&[NVRTC]).all(|wheel| CUDA.contains(wheel)));
        assert_eq!(
            requirements_of(&[Wheel { pin: "a==1", sha256: "00" }, Wheel { pin: "b==2", sha256: "ff" }]),
            "a==1 --hash=sha256:00\nb==2 --hash=sha256:ff\n"
        );
        assert!(remedy("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", false).contains("another one"));
    }
}
