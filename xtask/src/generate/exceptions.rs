//! Which commands are not encoded, and why; which are by hand; and what the registry does not say of a structure.

use super::registry::Command;

/// The endings of vendors' commands.
const VENDORS: [(&str, &str); 7] = [
    ("NVX", "NVIDIA's own"),
    ("NV", "NVIDIA's own"),
    ("AMDX", "AMD's own, and provisional"),
    ("AMD", "AMD's own"),
    (
        "INTEL",
        "Intel's own; it returns a result, which a replay cannot give back",
    ),
    ("HUAWEI", "Huawei's own"),
    ("QCOM", "Qualcomm's own"),
];

/// Why a command is not encoded; `None` for those that are. A vendor's command that an `EXT` extension has is encoded.
pub(super) fn exception(command: &Command) -> Option<&'static str> {
    let (command, from) = (command.name.as_str(), command.from.as_str());
    if from.starts_with("VK_EXT_") {
        return None;
    }
    if command.contains("Video") {
        return Some("video: its queues record no frames");
    }
    let vendor = VENDORS.iter().find(|(ending, _)| command.ends_with(ending));
    vendor.map(|(_, why)| *why)
}

/// Commands with short forms, which `encode.rs` has by hand.
pub(super) const SHORT_FORMS: [&str; 11] = [
    "vkCmdBindPipeline",
    "vkCmdBindVertexBuffers",
    "vkCmdBindIndexBuffer",
    "vkCmdBindDescriptorSets",
    "vkCmdPushConstants",
    "vkCmdSetViewport",
    "vkCmdSetScissor",
    "vkCmdSetLineWidth",
    "vkCmdDraw",
    "vkCmdDrawIndexed",
    "vkCmdDispatch",
];

/// Commands whose arrays the registry does not describe so that a program understands it, which `irregular.rs` has by hand.
pub(super) const IRREGULAR: [(&str, &str); 7] = [
    (
        "vkCmdSetSampleMaskEXT",
        "its length is a formula of the samples",
    ),
    ("vkCmdDrawMultiEXT", "its items stand apart by a stride"),
    (
        "vkCmdDrawMultiIndexedEXT",
        "its items stand apart by a stride",
    ),
    (
        "vkCmdPushDescriptorSetWithTemplateKHR",
        "the template alone knows the size of its data",
    ),
    (
        "vkCmdPushDescriptorSetWithTemplate2KHR",
        "the template alone knows the size of its data",
    ),
    (
        "vkCmdBuildAccelerationStructuresKHR",
        "arrays of arrays, as long as another array says",
    ),
    (
        "vkCmdBuildAccelerationStructuresIndirectKHR",
        "arrays of arrays, as long as another array says",
    ),
];

/// Arrays of `VkWriteDescriptorSet` that count for some types of descriptors alone, and lead nowhere for all others.
pub(super) const CHOSEN: [(&str, &str, &str, &[&str]); 3] = [
    (
        "VkWriteDescriptorSet",
        "pImageInfo",
        "descriptorType",
        &[
            "SAMPLER",
            "COMBINED_IMAGE_SAMPLER",
            "SAMPLED_IMAGE",
            "STORAGE_IMAGE",
            "INPUT_ATTACHMENT",
            "SAMPLE_WEIGHT_IMAGE_QCOM",
            "BLOCK_MATCH_IMAGE_QCOM",
        ],
    ),
    (
        "VkWriteDescriptorSet",
        "pBufferInfo",
        "descriptorType",
        &[
            "UNIFORM_BUFFER",
            "STORAGE_BUFFER",
            "UNIFORM_BUFFER_DYNAMIC",
            "STORAGE_BUFFER_DYNAMIC",
        ],
    ),
    (
        "VkWriteDescriptorSet",
        "pTexelBufferView",
        "descriptorType",
        &["UNIFORM_TEXEL_BUFFER", "STORAGE_TEXEL_BUFFER"],
    ),
];

/// Pointers in structures that are passed on as they are: what they lead to is an address on the device, or has no size
/// that anybody could know.
pub(super) const PASSED_ON: [(&str, &str); 1] =
    [("VkPushDescriptorSetWithTemplateInfoKHR", "pData")];

/// Arrays that may be missing by the registry, and may not in ash.
pub(super) const PLAIN: [(&str, &str); 1] = [("vkCmdBindShadersEXT", "pShaders")];
