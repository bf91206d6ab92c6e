//! Vulkan's state as a plain model: what state each draw and dispatch meets, from the calls that a device was given.

use null_device::Call;
use std::collections::BTreeMap;

/// The dynamic state that pipelines of the tests may have as static.
pub(crate) const STATES: [&str; 7] = [
    "viewport 0",
    "scissor 0",
    "vkCmdSetLineWidth",
    "vkCmdSetCullMode",
    "vkCmdSetDepthTestEnable",
    "vkCmdSetDepthBias",
    "vkCmdSetStencilReference",
];

/// Whether the pipeline of that handle has the state as static: each pipeline other ones.
pub(crate) fn is_static(pipeline: u64, state: usize) -> bool {
    pipeline != 0 && (pipeline.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (16 + 5 * state)) & 1 == 1
}

type State = BTreeMap<String, Vec<u64>>;

/// Something that is done: a draw or dispatch with the state that it meets, or another command.
#[derive(Debug, PartialEq)]
pub(crate) struct Done {
    call: Call,
    state: State,
}

/// What the calls do.
pub(crate) fn done(calls: &[Call]) -> Vec<Done> {
    let mut state = State::new();
    let mut done = Vec::new();
    for call in calls {
        if !sets(&mut state, call) {
            let drawing = ["vkCmdDraw", "vkCmdDispatch"]
                .iter()
                .any(|name| call.name.starts_with(name));
            done.push(Done {
                call: Call {
                    name: call.name,
                    words: call.words.clone(),
                },
                state: if drawing { state.clone() } else { State::new() },
            });
            if call.name == "vkCmdExecuteCommands" {
                state.clear();
            }
        }
    }
    done
}

/// Whether the call does nothing but set state; sets it.
fn sets(state: &mut State, call: &Call) -> bool {
    let words = &call.words[..];
    let mut set = |key: String, value: &[u64]| drop(state.insert(key, value.to_vec()));
    match (call.name, words) {
        ("vkCmdBindPipeline", &[point, pipeline]) => {
            set(format!("pipeline of {point}"), &[pipeline]);
            for (index, name) in STATES.iter().enumerate() {
                if point == 0 && is_static(pipeline, index) {
                    set((*name).to_owned(), &[pipeline]);
                }
            }
        }
        ("vkCmdBindVertexBuffers", &[first, count, ref arrays @ ..]) => {
            for binding in 0..count as usize {
                let bound = [arrays[binding], arrays[count as usize + binding]];
                set(format!("vertices {}", first as usize + binding), &bound);
            }
        }
        // With sizes and strides.
        ("vkCmdBindVertexBuffers2", &[first, 1, ref arrays @ ..]) => {
            set(format!("vertices {first}"), arrays);
        }
        ("vkCmdBindIndexBuffer" | "vkCmdBindIndexBuffer2KHR", words) => {
            set("indices".to_owned(), words);
        }
        ("vkCmdBindDescriptorSets", &[point, layout, first, count, offsets, ref arrays @ ..]) => {
            disturb(state, point, layout);
            for index in 0..count as usize {
                let mut bound = vec![layout, arrays[index], offsets];
                bound.extend(&arrays[count as usize..]);
                state.insert(format!("set {} of {point}", first as usize + index), bound);
            }
        }
        ("vkCmdPushDescriptorSetKHR", &[point, layout, index, ref writes @ ..]) => {
            disturb(state, point, layout);
            let bound = [&[layout], writes].concat();
            state.insert(format!("set {index} of {point}"), bound);
        }
        ("vkCmdPushConstants", &[layout, stages, offset, _, ref data @ ..]) => {
            set(
                format!("push at {offset}"),
                &[&[layout, stages], data].concat(),
            );
        }
        ("vkCmdSetViewport", &[first, count, ref values @ ..]) => {
            each(&mut set, "viewport", first, count, values);
        }
        ("vkCmdSetScissor", &[first, count, ref values @ ..]) => {
            each(&mut set, "scissor", first, count, values);
        }
        ("vkCmdSetViewportWithCount", &[count, ref values @ ..]) => {
            each(&mut set, "viewport", 0, count, values);
        }
        ("vkCmdSetScissorWithCount", &[count, ref values @ ..]) => {
            each(&mut set, "scissor", 0, count, values);
        }
        ("vkCmdBindShadersEXT", words) => {
            set("pipeline of 0".to_owned(), &[0]);
            set("shaders".to_owned(), words);
        }
        (name, words) if name.starts_with("vkCmdSet") && !name.contains("Event") => {
            set(name.to_owned(), words);
        }
        _ => return false,
    }
    true
}

/// Another layout makes all sets of other layouts undefined.
fn disturb(state: &mut State, point: u64, layout: u64) {
    let of_point = format!(" of {point}");
    for (key, bound) in state.iter_mut() {
        let is_set = key.starts_with("set ") && key.ends_with(&of_point);
        if is_set && bound.first() != Some(&layout) {
            *bound = Vec::new();
        }
    }
}

fn each(set: &mut impl FnMut(String, &[u64]), what: &str, first: u64, count: u64, values: &[u64]) {
    let words = values.len() / count.max(1) as usize;
    for (index, value) in (first..).zip(values.chunks(words.max(1))) {
        set(format!("{what} {index}"), value);
    }
}
