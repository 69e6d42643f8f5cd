//! Loops that profit from wide vectors, in one binary for all processors.

/// Defines a function that calls another one, compiled for AVX2 and used if the processor has it. The other
/// must be `#[inline(always)]`.
macro_rules! with_avx2 {
    ($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? = $any:ident;) => {
        $(#[$meta])*
        fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                #[target_feature(enable = "avx2")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    $any($($argument),*)
                }
                // SAFETY: the processor has AVX2, as was just checked.
                return unsafe { wide($($argument),*) };
            }
            $any($($argument),*)
        }
    };
}

pub(crate) use with_avx2;
