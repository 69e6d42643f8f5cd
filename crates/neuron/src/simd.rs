//! One binary, the widest vectors at hand: each kernel is compiled for baseline x86-64, AVX2 and AVX-512,
//! and the processor is asked once which to run.
//!
//! Results are the same to the bit on each, since nothing here contracts `a * b + c` into one rounding.

/// A piece of work that is compiled once for each instruction set.
pub(crate) trait Work {
    /// What it returns.
    type Output;
    /// Does the work; `#[inline(always)]` in every implementation and in all that it calls, so that the
    /// caller's instruction set applies.
    fn run(self) -> Self::Output;
}

/// Runs the work with the widest vectors that this processor has.
#[cfg(target_arch = "x86_64")]
pub(crate) fn dispatch<W: Work>(work: W) -> W::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn avx512<W: Work>(work: W) -> W::Output {
        work.run()
    }
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn avx2<W: Work>(work: W) -> W::Output {
        work.run()
    }
    // The answers are cached by the standard library: an atomic load and a test each.
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let bits = is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    if is_x86_feature_detected!("avx2") && bits {
        if wide {
            // SAFETY: every feature that `avx512` enables was just found on this processor.
            unsafe { avx512(work) }
        } else {
            // SAFETY: every feature that `avx2` enables was just found on this processor.
            unsafe { avx2(work) }
        }
    } else {
        work.run()
    }
}

/// Runs the work; other processors' baseline has their vectors already.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn dispatch<W: Work>(work: W) -> W::Output {
    work.run()
}
