//! The interface to C++ and to the allocators.

use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use tch::Tensor;
use torch_sys::C_tensor;

use crate::custom::Backward;
use crate::error::{BoxError, TorchError};
use crate::optimizer::{AdamW, Sgd};

type BackwardFunction = unsafe extern "C" fn(
    node: *mut c_void,
    saved: *mut *mut C_tensor,
    saved_count: usize,
    grads: *mut *mut C_tensor,
    grad_count: usize,
    needed: *const u8,
    results: *mut *mut C_tensor,
    result_count: usize,
) -> *mut c_char;

unsafe extern "C" {
    fn tks_libtorch_version() -> *const c_char;
    fn tks_free_text(text: *mut c_char);
    fn tks_clear_grad(leaf: *mut C_tensor) -> *mut c_char;
    pub(crate) fn tks_current_cuda_stream(device: i8, stream: *mut *mut c_void) -> *mut c_char;
    fn tks_record(
        label: *const c_char,
        inputs: *mut *mut C_tensor,
        input_count: usize,
        outputs: *mut *mut C_tensor,
        output_count: usize,
        saved: *mut *mut C_tensor,
        saved_count: usize,
        node: *mut c_void,
        backward: BackwardFunction,
        drop: unsafe extern "C" fn(*mut c_void),
        drop_text: unsafe extern "C" fn(*mut c_char),
    ) -> *mut c_char;
    fn tks_fused_adamw(
        count: usize,
        parameters: *mut *mut C_tensor,
        gradients: *mut *mut C_tensor,
        first: *mut *mut C_tensor,
        second: *mut *mut C_tensor,
        steps: *mut *mut C_tensor,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> *mut c_char;
    fn tks_fused_sgd(
        count: usize,
        parameters: *mut *mut C_tensor,
        gradients: *mut *mut C_tensor,
        momenta: *mut *mut C_tensor,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        nesterov: bool,
        is_first: bool,
    ) -> *mut c_char;
}

pub(crate) fn libtorch_version() -> &'static str {
    // SAFETY: the shim returns a static, NUL-terminated string.
    let version = unsafe { CStr::from_ptr(tks_libtorch_version()) };
    version.to_str().unwrap_or("unknown")
}

/// The contents of the C++ node: the backward function with its memory of the forward pass.
type Node = Box<dyn Backward>;

pub(crate) fn record(
    label: &'static CStr,
    inputs: &[Option<&Tensor>],
    outputs: &[&Tensor],
    saved: &[Option<&Tensor>],
    node: Node,
) -> Result<(), TorchError> {
    let pointer =
        |tensor: Option<&Tensor>| tensor.map_or(ptr::null_mut(), |tensor| tensor.as_ptr().cast_mut());
    let mut inputs: Vec<_> = inputs.iter().map(|tensor| pointer(*tensor)).collect();
    let mut outputs: Vec<_> = outputs.iter().map(|tensor| pointer(Some(tensor))).collect();
    let mut saved: Vec<_> = saved.iter().map(|tensor| pointer(*tensor)).collect();
    let node = Box::into_raw(Box::new(node)).cast();
    // SAFETY: the tensors live through the call, which borrows them; the node is handed over in every case
    // and is returned once, through `drop_node`.
    let error = unsafe {
        tks_record(
            label.as_ptr(),
            inputs.as_mut_ptr(),
            inputs.len(),
            outputs.as_mut_ptr(),
            outputs.len(),
            saved.as_mut_ptr(),
            saved.len(),
            node,
            run_backward,
            drop_node,
            drop_text,
        )
    };
    // SAFETY: the value was just returned by the shim.
    unsafe { outcome_of(error) }
}

/// # Safety
/// `error` was just returned by a function of the shim: null, or a text whose ownership it passes on.
pub(crate) unsafe fn outcome_of(error: *mut c_char) -> Result<(), TorchError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a NUL-terminated text, which is returned to the shim to be freed.
    let text = unsafe {
        let text = CStr::from_ptr(error).to_string_lossy().into_owned();
        tks_free_text(error);
        text
    };
    Err(TorchError::Shim(text))
}

pub(crate) fn clear_grad(leaf: &Tensor) -> Result<(), TorchError> {
    // SAFETY: the tensor lives through the call and owns the gradient that is dropped.
    unsafe { outcome_of(tks_clear_grad(leaf.as_ptr().cast_mut())) }
}

fn pointers(tensors: &[Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect()
}

/// See [`crate::optimizer::adamw`], which checks that all lists have the same length.
pub(crate) fn fused_adamw(
    parameters: &[Tensor],
    gradients: &[Tensor],
    first: &[Tensor],
    second: &[Tensor],
    steps: &[Tensor],
    settings: &AdamW,
) -> Result<(), TorchError> {
    let AdamW { lr, betas: [beta1, beta2], weight_decay, eps } = *settings;
    let count = parameters.len();
    let [mut parameters, mut gradients, mut first, mut second, mut steps] =
        [parameters, gradients, first, second, steps].map(pointers);
    // SAFETY: `count` tensors each, which live through the call; the parameters and their state are changed in
    // place, as an optimiser's step is meant to.
    unsafe {
        outcome_of(tks_fused_adamw(
            count,
            parameters.as_mut_ptr(),
            gradients.as_mut_ptr(),
            first.as_mut_ptr(),
            second.as_mut_ptr(),
            steps.as_mut_ptr(),
            lr,
            beta1,
            beta2,
            weight_decay,
            eps,
        ))
    }
}

/// See [`crate::optimizer::sgd`], which checks that all lists have the same length.
pub(crate) fn fused_sgd(
    parameters: &[Tensor],
    gradients: &[Tensor],
    momenta: &[Tensor],
    settings: &Sgd,
    is_first: bool,
) -> Result<(), TorchError> {
    let Sgd { lr, momentum, weight_decay, nesterov } = *settings;
    let count = parameters.len();
    let [mut parameters, mut gradients, mut momenta] = [parameters, gradients, momenta].map(pointers);
    let momenta = if momentum == 0.0 { ptr::null_mut() } else { momenta.as_mut_ptr() };
    // SAFETY: as in `fused_adamw`.
    unsafe {
        outcome_of(tks_fused_sgd(
            count,
            parameters.as_mut_ptr(),
            gradients.as_mut_ptr(),
            momenta,
            lr,
            momentum,
            weight_decay,
            nesterov,
            is_first,
        ))
    }
}

/// # Safety
/// `node` was made by [`record`] and has not been dropped.
unsafe extern "C" fn drop_node(node: *mut c_void) {
    // SAFETY: the caller's promise.
    let node = unsafe { Box::from_raw(node.cast::<Node>()) };
    // A panic must not cross into C++, and a node that panics on drop has nothing left to clean up.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(node)));
}

/// # Safety
/// `text` was returned by [`run_backward`] and has not been dropped.
unsafe extern "C" fn drop_text(text: *mut c_char) {
    // SAFETY: the caller's promise.
    drop(unsafe { CString::from_raw(text) });
}

/// # Safety
/// As called by the shim: `node` is alive, each array has the stated length, non-null tensors are defined.
unsafe extern "C" fn run_backward(
    node: *mut c_void,
    saved: *mut *mut C_tensor,
    saved_count: usize,
    grads: *mut *mut C_tensor,
    grad_count: usize,
    needed: *const u8,
    results: *mut *mut C_tensor,
    result_count: usize,
) -> *mut c_char {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's promise, for all of this block; a shallow clone shares the tensor's memory and
        // is owned by us.
        let (node, saved, grads, needed) = unsafe {
            (
                &*node.cast::<Node>(),
                borrow_tensors(saved, saved_count),
                borrow_tensors(grads, grad_count),
                slice_of(needed, result_count),
            )
        };
        let needed: Vec<bool> = needed.iter().map(|&needed| needed != 0).collect();
        let gradients = tch::no_grad(|| node.backward(&saved, &grads, &needed))?;
        if gradients.len() != result_count {
            return Err(format!("{} gradients for {result_count} inputs", gradients.len()).into());
        }
        for (i, gradient) in gradients.into_iter().enumerate() {
            if let Some(mut gradient) = gradient {
                let pointer = gradient.as_mut_ptr();
                std::mem::forget(gradient);
                // SAFETY: in bounds; ownership of the tensor is passed on, hence it is forgotten.
                unsafe { *results.add(i) = pointer };
            }
        }
        Ok::<(), BoxError>(())
    }));
    let text = match outcome {
        Ok(Ok(())) => return ptr::null_mut(),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
            format!("the backward pass panicked: {text}")
        }
    };
    CString::new(text.replace('\0', " ")).map_or(ptr::null_mut(), CString::into_raw)
}

/// # Safety
/// `tensors` points to `count` pointers, each null or to a tensor.
unsafe fn borrow_tensors(tensors: *mut *mut C_tensor, count: usize) -> Vec<Option<Tensor>> {
    // SAFETY: the caller's promise; `clone_from_ptr` makes a separate handle.
    unsafe {
        slice_of(tensors, count)
            .iter()
            .map(|&tensor| (!tensor.is_null()).then(|| Tensor::clone_from_ptr(tensor)))
            .collect()
    }
}

/// A slice, even if C++ passes null for an empty one.
///
/// # Safety
/// `start` points to `count` values if `count` is not 0.
unsafe fn slice_of<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(start, count) }
}

/// See [`crate::runtime::uses_mimalloc`].
#[cfg(all(target_os = "linux", feature = "mimalloc"))]
pub(crate) fn uses_mimalloc() -> bool {
    let tensor = tch::Tensor::zeros([1], (tch::Kind::Float, tch::Device::Cpu));
    // SAFETY: mimalloc looks the address up among its own; the tensor lives.
    unsafe { libmimalloc_sys::mi_is_in_heap_region(tensor.data_ptr()) }
}

/// See [`crate::runtime::release_memory`].
pub(crate) fn release_memory() {
    // SAFETY: both return only unused memory.
    unsafe {
        #[cfg(all(target_os = "linux", feature = "mimalloc"))]
        libmimalloc_sys::mi_collect(true);
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        libc::malloc_trim(0);
    }
}

/// See [`crate::runtime::reuse_memory`].
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn reuse_memory() -> bool {
    const LARGE: i32 = i32::MAX;
    // SAFETY: mallopt accepts any values; it affects later allocations, not existing ones.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE) == 1
            && libc::mallopt(libc::M_TOP_PAD, 64 << 20) == 1
    }
}
