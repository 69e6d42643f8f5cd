//! One binary that uses the widest vectors available: each kernel is compiled for baseline x86-64, AVX2 and
//! AVX-512, and the processor is queried once to decide which to run.
//!
//! Results are bit-identical on all of them, since `a * b + c` is never contracted into a single rounding.

use std::sync::OnceLock;

use crate::error::KernelError;

/// A piece of work that is compiled separately for each instruction set.
pub trait Work {
    /// The result.
    type Output;
    /// Does the work. Every implementation, and everything it calls, must be `#[inline(always)]`, so that the
    /// caller's instruction set applies.
    fn run(self) -> Self::Output;
}

/// The instruction sets that kernels are compiled for, from narrowest to widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum InstructionSet {
    /// The target of the whole program: SSE2 on x86-64.
    Baseline,
    /// AVX2, 8 values at a time.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL), 16 values at a time.
    Avx512,
}

/// Environment variable that names the widest [`InstructionSet`] kernels may use: `baseline`, `avx2` or
/// `avx512`. If unset, it is the widest of the processor. Results are bit-identical; the variable serves to
/// check that, and to measure speed.
pub const SIMD_VARIABLE: &str = "TKS_SIMD";

impl InstructionSet {
    /// The name in [`SIMD_VARIABLE`].
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Baseline => "baseline",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::Avx512 => "avx512",
        }
    }

    /// The widest one of this processor.
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let bits = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match is_x86_feature_detected!("avx2") && bits {
                true if wide => InstructionSet::Avx512,
                true => InstructionSet::Avx2,
                false => InstructionSet::Baseline,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        InstructionSet::Baseline
    }

    /// The one that the kernels of this process use: the widest, or the limit that [`SIMD_VARIABLE`] set at
    /// the first call.
    ///
    /// # Errors
    /// [`KernelError::InstructionSet`] if the variable does not name one.
    pub fn in_use() -> Result<Self, KernelError> {
        static IN_USE: OnceLock<Result<InstructionSet, String>> = OnceLock::new();
        let in_use = IN_USE.get_or_init(|| {
            let widest = InstructionSet::widest();
            let Some(value) = std::env::var_os(SIMD_VARIABLE) else { return Ok(widest) };
            let all = [InstructionSet::Baseline, InstructionSet::Avx2, InstructionSet::Avx512];
            match all.into_iter().find(|set| value == set.name()) {
                Some(limit) => Ok(limit.min(widest)),
                None => Err(value.to_string_lossy().into_owned()),
            }
        });
        match in_use {
            Ok(set) => Ok(*set),
            Err(value) => Err(KernelError::InstructionSet { value: value.clone() }),
        }
    }
}

/// Proof that the processor has AVX-512 and that kernels may use it.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    /// The proof, if AVX-512 may be used.
    pub fn get() -> Option<Self> {
        (chosen() == InstructionSet::Avx512).then_some(Avx512(()))
    }
}

/// [`InstructionSet::in_use`], or the baseline if the variable does not name one; an earlier check has
/// already reported that.
#[cfg(target_arch = "x86_64")]
fn chosen() -> InstructionSet {
    InstructionSet::in_use().unwrap_or(InstructionSet::Baseline)
}

/// Runs the work with the widest vectors of this processor.
#[cfg(target_arch = "x86_64")]
pub fn dispatch<W: Work>(work: W) -> W::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn avx512<W: Work>(work: W) -> W::Output {
        work.run()
    }
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn avx2<W: Work>(work: W) -> W::Output {
        work.run()
    }
    match chosen() {
        // SAFETY: `InstructionSet::widest` found every feature that `avx512` enables, and the choice is no
        // wider.
        InstructionSet::Avx512 => unsafe { avx512(work) },
        // SAFETY: as above, for `avx2`.
        InstructionSet::Avx2 => unsafe { avx2(work) },
        InstructionSet::Baseline => work.run(),
    }
}

/// Runs the work; the baseline of other processors already includes their vectors.
#[cfg(not(target_arch = "x86_64"))]
pub fn dispatch<W: Work>(work: W) -> W::Output {
    work.run()
}
