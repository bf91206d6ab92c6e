//! Plain structures seen as the bytes that Vulkan copies.
//!
//! # Invariants
//!
//! - B1: the functions here are given only `repr(C)` structures of 4-byte numbers, which have no padding bytes.
#![allow(unsafe_code, reason = "views structures as bytes")]

/// The bytes of one structure (B1).
pub(crate) fn bytes<T: Copy>(value: &T) -> &[u8] {
    slice_bytes(std::slice::from_ref(value))
}

/// The bytes of a row of structures (B1).
pub(crate) fn slice_bytes<T: Copy>(values: &[T]) -> &[u8] {
    // SAFETY: the range is that of `values`, borrowed as long, and by B1 each byte of it is initialised.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}
