//! The environment of a run, which is kept with its results.

use std::time::SystemTime;

use tks_report::Environment;

/// The environment of this process.
pub(crate) fn of_this_process(device: tch::Device) -> Environment {
    let mut environment = Environment {
        version: Some(env!("CARGO_PKG_VERSION").into()),
        command: Some(std::env::args().collect::<Vec<_>>().join(" ")),
        started: Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
        device: Some(device_name(device)),
        processor: Some(processor().unwrap_or_else(|| std::env::consts::ARCH.into())),
        threads: usize::try_from(tch::get_num_threads()).ok(),
        operating_system: Some(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        libtorch: Some(tks_autograd::libtorch_version().into()),
        ..Environment::default()
    };
    if let Some(memory) = memory_mib("/proc/meminfo", "MemTotal:") {
        environment.other.insert("memory".into(), format!("{memory} MiB"));
    }
    environment
}

/// The widest vector instructions that libtorch may use here; they determine the order in which sums are
/// added.
pub(crate) fn instruction_set() -> String {
    // libtorch's own switch.
    if let Ok(chosen) = std::env::var("ATEN_CPU_CAPABILITY") {
        return chosen;
    }
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            return "avx512".into();
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "avx2".into();
        }
    }
    std::env::consts::ARCH.into()
}

/// The device's name in configurations.
pub(crate) fn device_name(device: tch::Device) -> String {
    match device {
        tch::Device::Cuda(number) => format!("cuda:{number}"),
        tch::Device::Cpu => "cpu".into(),
        other => format!("{other:?}"),
    }
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Peak memory of this process so far in MiB; `None` if the system does not provide it.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    memory_mib("/proc/self/status", "VmHWM:").map(|mib| mib as f64)
}

/// Memory available to this process in MiB; `None` if the system does not provide it.
pub(crate) fn available_memory_mib() -> Option<u64> {
    memory_mib("/proc/meminfo", "MemAvailable:")
}

fn memory_mib(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn linux_tells_memory_and_processor() {
        assert!(super::peak_memory_mib().unwrap() > 1.0);
        assert!(super::available_memory_mib().unwrap() > 1);
        let environment = super::of_this_process(tch::Device::Cpu);
        assert!(!environment.processor.unwrap().is_empty() && environment.other.contains_key("memory"));
    }
}
