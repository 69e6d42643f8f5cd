//! The C++ shim, behind safe functions. All unsafe code of the crate lives here.

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    fn tks_libtorch_version() -> *const c_char;
}

/// The version of libtorch that the shim was compiled against, such as `2.11.0`.
pub(crate) fn libtorch_version() -> &'static str {
    // SAFETY: the function takes nothing and returns a string literal, which lives as long as the program.
    let text = unsafe { CStr::from_ptr(tks_libtorch_version()) };
    text.to_str().unwrap_or("unknown")
}
