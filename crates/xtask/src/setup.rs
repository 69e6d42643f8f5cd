//! `cargo xtask setup`: installs libtorch and links it into the workspace as `.libtorch/torch`, to which
//! `.cargo/config.toml` points the build, the tests and the finished programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cache::Cache;
use crate::{compiler, libtorch, pip, python};

const NVRTC_LIBRARY: &str = "libnvrtc.so.13";

/// Options of `cargo xtask setup`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SetupOptions {
    /// Use the full set for NVIDIA GPUs (about 2.5 GB to download) instead of the CPU's (0.5 GB)
    #[arg(long)]
    pub cuda: bool,
    /// Also install NVRTC, which compiles the CUDA kernels (90 MB to download); part of --cuda
    #[arg(long)]
    pub nvrtc: bool,
    /// Install from this folder of wheels instead of from the network
    #[arg(long, value_name = "FOLDER")]
    pub wheels: Option<PathBuf>,
    /// Use neither LIBTORCH nor a torch installed in Python, but the copy downloaded by set-up
    #[arg(long)]
    pub ignore_installed: bool,
}

/// Applies `options` to the workspace in the folder `workspace`; fast if nothing is left to do.
pub(crate) fn run(workspace: &Path, options: &SetupOptions) -> Result<()> {
    let link = libtorch::link_of(workspace);
    let (target, version) = match chosen_by_user(&link, options)? {
        Some(found) => found,
        None => match in_place(&link, options) {
            Some(found) => found,
            None => bring(options)?,
        },
    };
    if fs::canonicalize(&link).ok() != Some(target.clone()) {
        compiler::check()?;
        libtorch::check_loads(&target)?;
        libtorch::relink(&link, &target)?;
    }
    println!("libtorch {version} is set up: {}", target.display());
    bring_nvrtc(workspace, &target, options)
}

/// The libtorch named by the variable `LIBTORCH`, if the user set it. Cargo sets it too, to the link in the
/// workspace (`.cargo/config.toml`): that is not a choice.
fn chosen_by_user(link: &Path, options: &SetupOptions) -> Result<Option<(PathBuf, String)>> {
    let Some(folder) = std::env::var_os("LIBTORCH").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        return Ok(None);
    };
    if options.ignore_installed || folder == link {
        return Ok(None);
    }
    let version = libtorch::check(&folder)
        .context("LIBTORCH does not name a libtorch that can be used; unset it, and set-up brings one")?;
    if options.cuda && !libtorch::has_cuda(&folder) {
        bail!(
            "LIBTORCH names {}, a libtorch without CUDA; unset it, and set-up brings one",
            folder.display()
        );
    }
    Ok(Some((resolve(&folder)?, version)))
}

/// The current target of the workspace's link, if it is suitable.
fn in_place(link: &Path, options: &SetupOptions) -> Option<(PathBuf, String)> {
    let target = fs::canonicalize(link).ok()?;
    let version = serves(&target, options)?;
    let own = Cache::of_user().is_ok_and(|cache| target.starts_with(cache.path("")));
    (own || !options.ignore_installed).then_some((target, version))
}

/// The version of the libtorch in `folder` if it is suitable, with CUDA if requested.
fn serves(folder: &Path, options: &SetupOptions) -> Option<String> {
    libtorch::check(folder).ok().filter(|_| !options.cuda || libtorch::has_cuda(folder))
}

/// Finds or downloads a libtorch: Python's, else one stored earlier, else a download.
fn bring(options: &SetupOptions) -> Result<(PathBuf, String)> {
    // Problems that would stop the build are found before a long download.
    compiler::check()?;
    if !options.ignore_installed
        && let Some(folder) = python::installed_torch()
    {
        match serves(&folder, options) {
            Some(version) if libtorch::check_loads(&folder).is_ok() => {
                return Ok((resolve(&folder)?, version));
            }
            _ => println!("the torch installed in Python ({}) does not serve", folder.display()),
        }
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "set-up fetches libtorch for Linux on x86-64 only; install Python's torch {} or set LIBTORCH to a \
             libtorch of this version (docs, chapter Set-up)",
            libtorch::VERSION
        );
    }
    let (kind, packages, room): (_, &[pip::Wheel], _) =
        if options.cuda { ("cuda", &pip::CUDA, 7_000_000_000) } else { ("cpu", &pip::CPU, 2_200_000_000) };
    let name = format!("libtorch-{}-{kind}", libtorch::VERSION);
    let kept = Cache::of_user()?.get(
        &name,
        room,
        |item| serves(&item.join("torch"), options).is_some(),
        |partial| {
            println!("fetching libtorch {} for {}", libtorch::VERSION, kind.to_uppercase());
            let wheels = partial.join("wheels");
            pip::install(packages, &wheels, options.wheels.as_deref())?;
            if options.cuda {
                keep_all(&wheels, partial)?
            } else {
                keep_cpu(&wheels, partial)?
            }
            fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
            libtorch::check(&partial.join("torch")).context("pip fetched something else than was asked")?;
            libtorch::check_loads(&partial.join("torch"))
        },
    )?;
    let torch = kept.join("torch");
    let version = libtorch::check(&torch)?;
    Ok((resolve(&torch)?, version))
}

/// Moves the files needed for a CPU build from unpacked `wheels` to `kept`.
fn keep_cpu(wheels: &Path, kept: &Path) -> Result<()> {
    let files = [
        "torch/include",
        "torch/lib/libc10.so",
        "torch/lib/libgomp.so.1",
        "torch/lib/libtorch.so",
        "torch/lib/libtorch_cpu.so",
        "nvidia/cu13/lib/libcudart.so.13",
        "nvidia/cu13/lib/libcupti.so.13",
    ];
    for file in files {
        move_file(wheels, kept, file)?;
    }
    keep_version_and_licences(wheels, kept)
}

/// Moves all libraries and headers from unpacked `wheels` to `kept`, without Python's files and static
/// libraries.
fn keep_all(wheels: &Path, kept: &Path) -> Result<()> {
    for folder in ["torch/include", "torch/lib", "nvidia"] {
        move_file(wheels, kept, folder)?;
    }
    for library in ["libtorch_python.so", "libshm.so"] {
        let _ = fs::remove_file(kept.join("torch/lib").join(library));
    }
    remove_static_libraries(&kept.join("nvidia"))?;
    keep_version_and_licences(wheels, kept)
}

/// torch-sys reads the version from `build-version`, which the wheels do not have: there, it is in a Python
/// file.
fn keep_version_and_licences(wheels: &Path, kept: &Path) -> Result<()> {
    move_file(wheels, kept, "torch/version.py")?;
    let version = libtorch::check(&kept.join("torch"))?;
    fs::write(kept.join("torch/build-version"), format!("{version}\n"))
        .with_context(|| format!("cannot write below {}", kept.display()))?;
    let entries = fs::read_dir(wheels).with_context(|| format!("cannot read {}", wheels.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().ends_with(".dist-info") {
            move_file(wheels, kept, &name.to_string_lossy())?;
        }
    }
    Ok(())
}

fn move_file(from: &Path, to: &Path, file: &str) -> Result<()> {
    let target = to.join(file);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::rename(from.join(file), &target).with_context(|| format!("the wheels lack {file}"))
}

fn remove_static_libraries(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.flatten()
    {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_static_libraries(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "a") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Links NVRTC as `.libtorch/nvrtc`: the copy beside libtorch, else, if requested, a downloaded one.
fn bring_nvrtc(workspace: &Path, torch: &Path, options: &SetupOptions) -> Result<()> {
    let link = workspace.join(".libtorch/nvrtc");
    let has_it = |folder: &Path| folder.join(NVRTC_LIBRARY).is_file();
    if has_it(&link) {
        return Ok(());
    }
    let beside =
        ["../nvidia/cu13/lib", "lib"].map(|place| torch.join(place)).into_iter().find(|at| has_it(at));
    let folder = match beside {
        Some(folder) => folder,
        None if options.nvrtc || options.cuda => {
            Cache::of_user()?.get("nvrtc-13.0.88", 400_000_000, has_it, |partial| {
                let wheels = partial.join("wheels");
                pip::install(&[pip::NVRTC], &wheels, options.wheels.as_deref())?;
                for library in ["libnvrtc-builtins.so.13.0", NVRTC_LIBRARY] {
                    let from = wheels.join("nvidia/cu13/lib").join(library);
                    fs::rename(&from, partial.join(library))
                        .with_context(|| format!("the wheel lacks {library}"))?;
                }
                fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))
            })?
        }
        None => return Ok(()),
    };
    libtorch::relink(&link, &resolve(&folder)?)?;
    println!("NVRTC is set up: {}", folder.display());
    Ok(())
}

fn resolve(folder: &Path) -> Result<PathBuf> {
    fs::canonicalize(folder).with_context(|| format!("cannot resolve {}", folder.display()))
}
