//! The validation layer: finding it, asking for its checks, collecting what it says.
//!
//! Thread safety and synchronization are checked.
//! Old layers (1.3.239 among them) take the request through `VK_EXT_validation_features` and check thread safety
//! unasked; newer ones take both through `VK_EXT_layer_settings`.
//! Hazards between submissions are checked by old layers only where the environment says
//! `VK_LAYER_ENABLES=VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT:VALIDATION_CHECK_ENABLE_SYNCHRONIZATION_VALIDATION_QUEUE_SUBMIT`.
//!
//! # Invariants
//!
//! - I1: the user data of every messenger made here points to a [`Log`] that outlives the instance.
#![allow(
    unsafe_code,
    reason = "a Vulkan callback and the calls that install it"
)]

use std::ffi::{CStr, CString, c_void};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ash::vk;

pub(crate) const LAYER: &CStr = c"VK_LAYER_KHRONOS_validation";

/// One warning or error of the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// An error, not a warning.
    pub(crate) is_error: bool,
    /// The message's name: a VUID, `SYNC-HAZARD-…`, `UNASSIGNED-…`.
    pub(crate) id: String,
    /// What the layer says.
    pub(crate) text: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.text)
    }
}

/// Where the layer's messages go, from whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Message>>);

impl Log {
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn push(&self, message: Message) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
    }

    fn user_data(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }
}

/// The installed layer, and the way in which it is told what to check.
pub(crate) struct Validation {
    by_layer_settings: bool,
}

impl Validation {
    pub(crate) fn find(entry: &ash::Entry) -> Option<Self> {
        // SAFETY: the entry is loaded.
        let layers = unsafe { entry.enumerate_instance_layer_properties() }.unwrap_or_default();
        layers
            .iter()
            .find(|layer| layer.layer_name_as_c_str() == Ok(LAYER))?;
        let by_layer_settings = instance_extensions(entry, Some(LAYER))
            .iter()
            .any(|name| name.as_c_str() == ash::ext::layer_settings::NAME);
        Some(Self { by_layer_settings })
    }

    pub(crate) fn extensions(&self) -> Vec<&'static CStr> {
        let checks = if self.by_layer_settings {
            ash::ext::layer_settings::NAME
        } else {
            ash::ext::validation_features::NAME
        };
        vec![ash::ext::debug_utils::NAME, checks]
    }
}

/// Names of the instance extensions of the loader and its drivers, or of one layer.
pub(crate) fn instance_extensions(entry: &ash::Entry, layer: Option<&CStr>) -> Vec<CString> {
    // SAFETY: the entry is loaded.
    let found = unsafe { entry.enumerate_instance_extension_properties(layer) }.unwrap_or_default();
    found
        .iter()
        .filter_map(|extension| extension.extension_name_as_c_str().ok().map(CStr::to_owned))
        .collect()
}

/// Creates the instance with the layer's checks switched on and its messages about the instance itself collected.
pub(crate) fn create_validated_instance(
    entry: &ash::Entry,
    info: vk::InstanceCreateInfo<'_>,
    validation: Option<&Validation>,
    log: &Log,
) -> Result<ash::Instance, vk::Result> {
    let Some(validation) = validation else {
        // SAFETY: layers and extensions of `info` are installed.
        return unsafe { entry.create_instance(&info, None) };
    };
    let on = vk::TRUE;
    let settings = [
        layer_setting(c"validate_sync", &on),
        layer_setting(c"thread_safety", &on),
    ];
    let mut by_settings = vk::LayerSettingsCreateInfoEXT::default().settings(&settings);
    let enabled = [vk::ValidationFeatureEnableEXT::SYNCHRONIZATION_VALIDATION];
    let mut by_features =
        vk::ValidationFeaturesEXT::default().enabled_validation_features(&enabled);
    let mut messenger = messenger_info(log);
    let info = if validation.by_layer_settings {
        info.push_next(&mut by_settings)
    } else {
        info.push_next(&mut by_features)
    };
    let info = info.push_next(&mut messenger);
    // SAFETY: layers and extensions of `info` are installed, and each struct in the chain belongs to one of them.
    unsafe { entry.create_instance(&info, None) }
}

/// Listens from now on.
pub(crate) fn listen(
    entry: &ash::Entry,
    instance: &ash::Instance,
    log: &Log,
) -> (ash::ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT) {
    let loader = ash::ext::debug_utils::Instance::new(entry, instance);
    // SAFETY: the instance has the extension; the log outlives it (I1).
    let messenger = unsafe { loader.create_debug_utils_messenger(&messenger_info(log), None) };
    (loader, messenger.expect("vkCreateDebugUtilsMessengerEXT"))
}

fn layer_setting<'a>(name: &'a CStr, value: &'a vk::Bool32) -> vk::LayerSettingEXT<'a> {
    let mut setting = vk::LayerSettingEXT::default()
        .layer_name(LAYER)
        .setting_name(name)
        .ty(vk::LayerSettingTypeEXT::BOOL32);
    setting.value_count = 1;
    setting.p_values = std::ptr::from_ref(value).cast();
    setting
}

fn messenger_info(log: &Log) -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    let severities = vk::DebugUtilsMessageSeverityFlagsEXT::WARNING
        | vk::DebugUtilsMessageSeverityFlagsEXT::ERROR;
    // Not performance: advice about layouts is no broken rule.
    let types = vk::DebugUtilsMessageTypeFlagsEXT::VALIDATION;
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(severities)
        .message_type(types)
        .pfn_user_callback(Some(collect))
        .user_data(log.user_data())
}

/// Called by the layer, on the thread whose Vulkan call it is about.
unsafe extern "system" fn collect(
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _types: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    user_data: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the layer gives one valid struct for the time of this call.
    let data = unsafe { &*data };
    // SAFETY: the user data is a log that lives (I1), and is only ever used by shared reference.
    let log = unsafe { &*user_data.cast::<Log>() };
    // SAFETY: the struct's strings are null or end in a zero byte, and live for the time of this call.
    let id = unsafe { data.message_id_name_as_c_str() };
    // SAFETY: as above.
    let text = unsafe { data.message_as_c_str() };
    let owned = |text: Option<&CStr>| text.unwrap_or(c"").to_string_lossy().into_owned();
    log.push(Message {
        is_error: severity.contains(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR),
        id: owned(id),
        text: owned(text),
    });
    vk::FALSE
}
