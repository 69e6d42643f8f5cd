//! Tensors' values for the kernels.

use tch::Tensor;
use tks_torch::memory::{self, Element};

use crate::error::AutogradError;

/// The values of an operation's argument, in the order of its memory.
///
/// # Errors
/// A tensor that is not dense, of this format and on the CPU.
pub(crate) fn values<T: Element>(tensor: &Tensor) -> Result<&[T], AutogradError> {
    // SAFETY: an operation's arguments are its own while it runs: as with libtorch's own operations, who calls it does not
    // change or resize them from another thread meanwhile, and this crate looks at them within one call only.
    Ok(unsafe { memory::values(tensor)? })
}
