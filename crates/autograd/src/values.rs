//! Tensors' values as slices for the kernels.

use tch::Tensor;
use tks_torch::memory::{self, Element};

use crate::error::AutogradError;

/// The values of an operation's argument, in memory order.
///
/// # Errors
/// If the tensor is not dense, of this format and on the CPU.
pub(crate) fn values<T: Element>(tensor: &Tensor) -> Result<&[T], AutogradError> {
    // SAFETY: an operation has exclusive use of its arguments while it runs: as with libtorch's own
    // operations, the caller does not change or resize them from another thread at the same time, and this
    // crate reads them only within one call.
    Ok(unsafe { memory::values(tensor)? })
}
