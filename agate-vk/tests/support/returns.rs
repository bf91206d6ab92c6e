//! What each Vulkan call of a service may return besides success, by the registry that ash 0.38 was made from (1.3.281).

use agate_vk::vk::Result as R;

/// A function and what it may return.
pub(crate) struct Returns {
    pub(crate) call: &'static str,
    pub(crate) results: &'static [R],
}

const HOST: R = R::ERROR_OUT_OF_HOST_MEMORY;
const DEVICE: R = R::ERROR_OUT_OF_DEVICE_MEMORY;
const LOST: R = R::ERROR_DEVICE_LOST;
const SURFACE: R = R::ERROR_SURFACE_LOST_KHR;
/// Every function that can fail may return this one.
const UNKNOWN: R = R::ERROR_UNKNOWN;

const fn returns(call: &'static str, results: &'static [R]) -> Returns {
    Returns { call, results }
}

/// The functions with a result that a service calls.
pub(crate) const TABLE: &[Returns] = &[
    returns("vkCreateSemaphore", &[HOST, DEVICE, UNKNOWN]),
    returns("vkSetDebugUtilsObjectNameEXT", &[HOST, DEVICE, UNKNOWN]),
    returns("vkCreateCommandPool", &[HOST, DEVICE, UNKNOWN]),
    returns("vkAllocateCommandBuffers", &[HOST, DEVICE, UNKNOWN]),
    returns("vkResetCommandPool", &[DEVICE, UNKNOWN]),
    returns("vkBeginCommandBuffer", &[HOST, DEVICE, UNKNOWN]),
    returns(
        "vkEndCommandBuffer",
        &[
            HOST,
            DEVICE,
            R::ERROR_INVALID_VIDEO_STD_PARAMETERS_KHR,
            UNKNOWN,
        ],
    ),
    returns("vkQueueSubmit2", &[HOST, DEVICE, LOST, UNKNOWN]),
    returns("vkQueueWaitIdle", &[HOST, DEVICE, LOST, UNKNOWN]),
    returns(
        "vkWaitSemaphores",
        &[R::TIMEOUT, HOST, DEVICE, LOST, UNKNOWN],
    ),
    returns("vkGetSemaphoreCounterValue", &[HOST, DEVICE, LOST, UNKNOWN]),
    returns(
        "vkGetPhysicalDeviceSurfaceCapabilitiesKHR",
        &[HOST, DEVICE, SURFACE, UNKNOWN],
    ),
    returns(
        "vkCreateSwapchainKHR",
        &[
            HOST,
            DEVICE,
            LOST,
            SURFACE,
            R::ERROR_NATIVE_WINDOW_IN_USE_KHR,
            R::ERROR_INITIALIZATION_FAILED,
            R::ERROR_COMPRESSION_EXHAUSTED_EXT,
            UNKNOWN,
        ],
    ),
    returns(
        "vkGetSwapchainImagesKHR",
        &[R::INCOMPLETE, HOST, DEVICE, UNKNOWN],
    ),
    returns(
        "vkAcquireNextImageKHR",
        &[
            R::TIMEOUT,
            R::NOT_READY,
            R::SUBOPTIMAL_KHR,
            HOST,
            DEVICE,
            LOST,
            R::ERROR_OUT_OF_DATE_KHR,
            SURFACE,
            R::ERROR_FULL_SCREEN_EXCLUSIVE_MODE_LOST_EXT,
            UNKNOWN,
        ],
    ),
    returns(
        "vkQueuePresentKHR",
        &[
            R::SUBOPTIMAL_KHR,
            HOST,
            DEVICE,
            LOST,
            R::ERROR_OUT_OF_DATE_KHR,
            SURFACE,
            R::ERROR_FULL_SCREEN_EXCLUSIVE_MODE_LOST_EXT,
            UNKNOWN,
        ],
    ),
];
