//! The Vulkan instance: loader, layers, and the messenger that counts what the validation layer says.
//!
//! # Invariants
//!
//! - I1: an `Instance` is alive until it is dropped, and its messenger is destroyed just before it.
//! - I2: the messenger's user data points to the `Messages` inside an `Arc` that this `Instance` holds.
#![allow(unsafe_code, reason = "calls Vulkan")]

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ash::{ext, vk};

use crate::count;
use crate::error::{Doing, Error};
use crate::say::complain;

pub(crate) const VALIDATION_LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// The connection to the Vulkan loader; its device functions come from the counting table.
pub(crate) struct Instance {
    pub(crate) entry: ash::Entry,
    pub(crate) raw: ash::Instance,
    pub(crate) messages: Arc<Messages>,
    messenger: Option<(ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
}

/// What the validation layer said so far.
#[derive(Default)]
pub(crate) struct Messages {
    count: AtomicU64,
    seen: Mutex<HashSet<i32>>,
}

impl Messages {
    /// Warnings and errors since the start.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }
}

impl Instance {
    /// Connects to the loader, with the given instance extensions, and with the validation layer if asked.
    pub(crate) fn new(extensions: &[*const c_char], validation: bool) -> Result<Self, Error> {
        // SAFETY: loading libvulkan runs its initialisers, which have no preconditions.
        let entry = unsafe { ash::Entry::load() }.map_err(|_| Error::NoLoader)?;
        if validation && !has_layer(&entry, VALIDATION_LAYER)? {
            return Err(Error::NoValidationLayer);
        }
        let mut extensions = extensions.to_vec();
        if validation {
            extensions.extend([
                ext::debug_utils::NAME.as_ptr(),
                ext::validation_features::NAME.as_ptr(),
            ]);
        }
        let messages = Arc::new(Messages::default());
        let handle = create(&entry, &extensions, validation, &messages)?;
        let get_instance_proc_addr = entry.static_fn().get_instance_proc_addr;
        let load = |name: &CStr| {
            // SAFETY: `handle` is a live instance of this entry, and `name` is a C string.
            let found = unsafe { get_instance_proc_addr(handle, name.as_ptr()) };
            counted(name, found)
        };
        // SAFETY: `load` answers as the loader does, with one function in the place of one of its own.
        let raw = unsafe { ash::Instance::load_with(load, handle) };
        let mut instance = Self {
            entry,
            raw,
            messages,
            messenger: None,
        };
        if validation {
            instance.listen()?;
        }
        Ok(instance)
    }

    /// Whether `VK_EXT_debug_utils` is enabled.
    pub(crate) fn has_debug_utils(&self) -> bool {
        self.messenger.is_some()
    }

    fn listen(&mut self) -> Result<(), Error> {
        let debug = ext::debug_utils::Instance::new(&self.entry, &self.raw);
        let info = messenger_info(&self.messages);
        // SAFETY: the extension is enabled, and the user data lives as long as the messenger (I2).
        let messenger = unsafe { debug.create_debug_utils_messenger(&info, None) }
            .doing("creating the debug messenger")?;
        self.messenger = Some((debug, messenger));
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some((debug, messenger)) = self.messenger.take() {
            // SAFETY: made by `listen`, destroyed once (I1).
            unsafe { debug.destroy_debug_utils_messenger(messenger, None) };
        }
        // SAFETY: everything made from the instance holds a reference to it, so nothing is left (I1).
        unsafe { self.raw.destroy_instance(None) };
    }
}

/// Whether the loader knows `layer`.
pub(crate) fn has_layer(entry: &ash::Entry, layer: &CStr) -> Result<bool, Error> {
    // SAFETY: asks the loader, without preconditions.
    let layers =
        unsafe { entry.enumerate_instance_layer_properties() }.doing("listing the layers")?;
    Ok(layers
        .iter()
        .any(|found| found.layer_name_as_c_str() == Ok(layer)))
}

/// Puts the counting function in the place of `vkGetDeviceProcAddr`.
fn counted(name: &CStr, found: vk::PFN_vkVoidFunction) -> *const c_void {
    match found {
        Some(real) if name == c"vkGetDeviceProcAddr" => {
            // SAFETY: the loader returned this pointer for that very name, so it has that signature.
            count::install(unsafe {
                std::mem::transmute::<unsafe extern "system" fn(), vk::PFN_vkGetDeviceProcAddr>(
                    real,
                )
            })
        }
        Some(real) => real as *const c_void,
        None => std::ptr::null(),
    }
}

fn create(
    entry: &ash::Entry,
    extensions: &[*const c_char],
    validation: bool,
    messages: &Arc<Messages>,
) -> Result<vk::Instance, Error> {
    let name = CString::from(c"agate demo");
    let application = vk::ApplicationInfo::default()
        .application_name(&name)
        .engine_name(&name)
        .api_version(vk::API_VERSION_1_3);
    let layers = [VALIDATION_LAYER.as_ptr()];
    // Thread safety is on by default in this layer; synchronization has to be asked for.
    let checks = [vk::ValidationFeatureEnableEXT::SYNCHRONIZATION_VALIDATION];
    let mut features = vk::ValidationFeaturesEXT::default().enabled_validation_features(&checks);
    let mut early = messenger_info(messages);
    let mut info = vk::InstanceCreateInfo::default()
        .application_info(&application)
        .enabled_extension_names(extensions);
    if validation {
        info = info
            .enabled_layer_names(&layers)
            .push_next(&mut features)
            .push_next(&mut early);
    }
    // SAFETY: all pointers in `info` outlive the call.
    unsafe { entry.create_instance(&info, None) }
        .map(|instance| instance.handle())
        .map_err(|result| match result {
            vk::Result::ERROR_INCOMPATIBLE_DRIVER => Error::NoDriver,
            result => Error::NoInstance(result),
        })
}

fn messenger_info(messages: &Arc<Messages>) -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(
            vk::DebugUtilsMessageSeverityFlagsEXT::WARNING
                | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR,
        )
        .message_type(
            vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION
                | vk::DebugUtilsMessageTypeFlagsEXT::GENERAL,
        )
        .pfn_user_callback(Some(on_message))
        .user_data(Arc::as_ptr(messages).cast_mut().cast())
}

unsafe extern "system" fn on_message(
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    kinds: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the user data is the `Messages` of the instance (I2).
    let messages = unsafe { &*user.cast::<Messages>() };
    // SAFETY: the layer passes a valid structure for the time of the call.
    let data = unsafe { &*data };
    // The loader itself warns about drivers that it cannot open; that says nothing about this program.
    if !kinds.contains(vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION)
        && !severity.contains(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR)
    {
        return vk::FALSE;
    }
    messages.count.fetch_add(1, Relaxed);
    let first = messages
        .seen
        .lock()
        .is_ok_and(|mut seen| seen.insert(data.message_id_number));
    if first {
        // SAFETY: a message is a C string for the time of the call, or null, which ash turns into `None`.
        let text = unsafe { data.message_as_c_str() }
            .unwrap_or(c"(no text)")
            .to_string_lossy();
        complain!("validation: {}", text.replace('\n', " "));
    }
    vk::FALSE
}
