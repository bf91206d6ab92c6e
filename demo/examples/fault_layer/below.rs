//! The functions of the layer below, by name.
//!
//! All are asked for while the instance, or the device, is being created: later the loader would answer with the top of
//! the chain, and this layer would call itself.
//!
//! # Invariants
//!
//! - B1: a function is kept under the very name for which the layer below returned it.
//! - B2: the process uses one driver and one device at a time, so what is kept fits every handle that comes in.
#![allow(unsafe_code, reason = "gives functions the types of their names")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::{PoisonError, RwLock};

use ash::vk;

use crate::Function;

static BELOW: RwLock<BTreeMap<&'static str, Function>> = RwLock::new(BTreeMap::new());

/// Keeps the functions of these names.
///
/// `get` answers as the layer below does (B1).
pub(crate) fn keep(
    names: impl Iterator<Item = &'static str>,
    get: impl Fn(&CStr) -> vk::PFN_vkVoidFunction,
) {
    let mut below = BELOW.write().unwrap_or_else(PoisonError::into_inner);
    for name in names {
        let called = CString::new(name).unwrap_or_default();
        if let Some(function) = get(&called) {
            below.insert(name, function);
        }
    }
}

/// The function of this name, if the layer below has one.
pub(crate) fn function(name: &str) -> Option<Function> {
    let below = BELOW.read().unwrap_or_else(PoisonError::into_inner);
    below.get(name).copied()
}

/// The function of this name as what it is.
macro_rules! below {
    ($name:expr, $type:ty) => {{
        let function = $crate::below::function($name);
        let function = function.unwrap_or_else(|| panic!("there is no {} below", $name));
        // SAFETY: B1: the caller names the type that belongs to the name.
        unsafe { std::mem::transmute::<$crate::Function, $type>(function) }
    }};
}

pub(crate) use below;
