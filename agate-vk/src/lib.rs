//! agate-vk.
