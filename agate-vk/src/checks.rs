//! What is checked where a job records, with the feature `checks`: each command against Vulkan's rules on where it may
//! stand. Without the feature nothing of this is built but the place of a recording.

/// Where a slot's commands stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "checks"),
    allow(dead_code, reason = "read by the checks alone")
)]
pub(crate) struct Standing {
    /// Inside the render pass, dynamic or not, of the slot's pass.
    pub(crate) inside: bool,
    /// In a secondary command buffer.
    pub(crate) secondary: bool,
    /// The service's own, which begin and end passes.
    pub(crate) own: bool,
}

impl Standing {
    /// In a pass outside of rendering.
    pub(crate) const OUTSIDE: Self = Self {
        inside: false,
        secondary: false,
        own: false,
    };
    /// In a pass inside a render pass, contents inline.
    pub(crate) const INSIDE: Self = Self {
        inside: true,
        ..Self::OUTSIDE
    };
    /// The service's own commands.
    pub(crate) const OWN: Self = Self {
        own: true,
        ..Self::OUTSIDE
    };

    /// The same in a pass whose contents are secondary command buffers, or not.
    pub(crate) const fn in_secondary(self, secondary: bool) -> Self {
        Self { secondary, ..self }
    }
}

#[cfg(feature = "checks")]
pub use on::{Checks, RecordFault};
#[cfg(feature = "checks")]
pub(crate) use on::{Faults, State};

#[cfg(feature = "checks")]
mod on {
    use super::Standing;
    use crate::commands::generated::table::COMMANDS;
    use crate::commands::table::{Command, Scope};
    use crate::error::{RecordError, Violation};
    use crate::frame::{SlotPlace, lock};
    use ash::vk;
    use std::backtrace::Backtrace;
    use std::collections::VecDeque;
    use std::fmt;
    use std::sync::{Arc, Mutex};

    /// What recorders check; see [`ServiceOptions::checks`](crate::ServiceOptions::checks).
    #[derive(Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct Checks {
        /// Whether commands are checked at all. By default they are.
        pub enabled: bool,
        /// What the service's queue family can do, from `vkGetPhysicalDeviceQueueFamilyProperties`: commands for other
        /// queues are refused. By default empty, which stands for unknown: none is refused.
        pub queue_flags: vk::QueueFlags,
    }

    impl Default for Checks {
        fn default() -> Self {
            Self {
                enabled: true,
                queue_flags: vk::QueueFlags::empty(),
            }
        }
    }

    impl fmt::Debug for Checks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Checks")
                .field("enabled", &self.enabled)
                .field("queue_flags", &self.queue_flags.as_raw())
                .finish()
        }
    }

    /// The first error of a recording, and where the job made it.
    #[derive(Clone, Debug)]
    #[non_exhaustive]
    pub struct RecordFault {
        /// Which slot was being recorded.
        pub place: SlotPlace,
        /// The error, as it comes out of `finish` and of the ticket.
        pub error: RecordError,
        /// The calls of the job at that moment.
        pub backtrace: Arc<Backtrace>,
    }

    /// The latest errors of a service's recordings.
    #[derive(Debug, Default)]
    pub(crate) struct Faults(Mutex<VecDeque<RecordFault>>);

    impl Faults {
        /// How many are kept.
        const KEPT: usize = 16;

        /// Keeps an error, with the calls that led here.
        pub(crate) fn note(&self, place: SlotPlace, error: RecordError) {
            let fault = RecordFault {
                place,
                error,
                backtrace: Arc::new(Backtrace::force_capture()),
            };
            let mut faults = lock(&self.0);
            if faults.len() == Self::KEPT {
                faults.pop_front();
            }
            faults.push_back(fault);
        }

        /// Takes them, the oldest first.
        pub(crate) fn take(&self) -> Vec<RecordFault> {
            lock(&self.0).drain(..).collect()
        }
    }

    /// What a command means for those behind it.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Class {
        Other,
        Draw,
        Dispatch,
        TraceRays,
        BindShaders,
        Execute,
        BeginPass,
        EndPass,
        Begin(Pair),
        End(Pair),
    }

    /// What must be begun and ended in one slot.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Pair {
        Label,
        Marker,
        Query,
        Conditional,
        Feedback,
    }

    /// The names of those that have a class of their own.
    const NAMED: [(&str, Class); 21] = [
        ("vkCmdBindShadersEXT", Class::BindShaders),
        ("vkCmdExecuteCommands", Class::Execute),
        ("vkCmdBeginRenderPass", Class::BeginPass),
        ("vkCmdBeginRenderPass2", Class::BeginPass),
        ("vkCmdBeginRendering", Class::BeginPass),
        ("vkCmdEndRenderPass", Class::EndPass),
        ("vkCmdEndRenderPass2", Class::EndPass),
        ("vkCmdEndRendering", Class::EndPass),
        ("vkCmdBeginDebugUtilsLabelEXT", Class::Begin(Pair::Label)),
        ("vkCmdEndDebugUtilsLabelEXT", Class::End(Pair::Label)),
        ("vkCmdDebugMarkerBeginEXT", Class::Begin(Pair::Marker)),
        ("vkCmdDebugMarkerEndEXT", Class::End(Pair::Marker)),
        ("vkCmdBeginQuery", Class::Begin(Pair::Query)),
        ("vkCmdEndQuery", Class::End(Pair::Query)),
        ("vkCmdBeginQueryIndexedEXT", Class::Begin(Pair::Query)),
        ("vkCmdEndQueryIndexedEXT", Class::End(Pair::Query)),
        (
            "vkCmdBeginConditionalRenderingEXT",
            Class::Begin(Pair::Conditional),
        ),
        (
            "vkCmdEndConditionalRenderingEXT",
            Class::End(Pair::Conditional),
        ),
        (
            "vkCmdBeginTransformFeedbackEXT",
            Class::Begin(Pair::Feedback),
        ),
        ("vkCmdEndTransformFeedbackEXT", Class::End(Pair::Feedback)),
        ("vkCmdDispatchBase", Class::Dispatch),
    ];

    /// The class of each command, by its place in the table.
    static CLASSES: [Class; COMMANDS.len()] = {
        let mut classes = [Class::Other; COMMANDS.len()];
        let mut index = 0;
        while index < classes.len() {
            classes[index] = class(COMMANDS[index].name.as_bytes());
            index += 1;
        }
        classes
    };

    const fn class(name: &[u8]) -> Class {
        let mut index = 0;
        while index < NAMED.len() {
            let named = NAMED[index].0.as_bytes();
            if named.len() == name.len() && begins(name, named) {
                return NAMED[index].1;
            }
            index += 1;
        }
        if begins(name, b"vkCmdDraw") {
            Class::Draw
        } else if begins(name, b"vkCmdDispatch") {
            Class::Dispatch
        } else if begins(name, b"vkCmdTraceRays") {
            Class::TraceRays
        } else {
            Class::Other
        }
    }

    const fn begins(name: &[u8], with: &[u8]) -> bool {
        let mut index = 0;
        while index < with.len() {
            if index == name.len() || name[index] != with[index] {
                return false;
            }
            index += 1;
        }
        true
    }

    /// What a recorder knows of its slot.
    pub(crate) struct State {
        on: bool,
        queue: vk::QueueFlags,
        standing: Standing,
        /// The command of this slot that began a render pass, which is not ended yet.
        pass: Option<u16>,
        /// Whether pipelines are bound: graphics, compute, ray tracing.
        bound: [bool; 3],
        /// How many are begun of each kind, and by which command last.
        open: [(u16, u16); 5],
    }

    impl State {
        pub(crate) fn new(checks: Checks, standing: Standing) -> Self {
            Self {
                on: checks.enabled && !standing.own,
                queue: checks.queue_flags,
                standing,
                pass: None,
                bound: [false; 3],
                open: [(0, 0); 5],
            }
        }

        /// A pipeline is bound.
        pub(crate) fn binds(&mut self, point: vk::PipelineBindPoint) {
            match point {
                vk::PipelineBindPoint::GRAPHICS => self.bound[0] = true,
                vk::PipelineBindPoint::COMPUTE => self.bound[1] = true,
                _ => self.bound[2] = true,
            }
        }

        /// A closure may have bound anything.
        pub(crate) fn binds_all(&mut self) {
            self.bound = [true; 3];
        }

        /// Looks at the command of an index, and notes what it means.
        pub(crate) fn command(&mut self, index: u16) -> Result<(), RecordError> {
            if !self.on {
                return Ok(());
            }
            let command = Command::of(index);
            let refused = |violation| {
                Err(RecordError::Violation {
                    command: command.name,
                    violation,
                })
            };
            if self.standing.secondary && !command.secondary {
                return refused(Violation::PrimaryOnly);
            }
            if !self.queue.is_empty() && !self.queue.intersects(command.queues) {
                return refused(Violation::OtherQueue);
            }
            let inside = self.standing.inside || self.pass.is_some();
            match (command.scope, inside) {
                (Scope::Inside, false) => return refused(Violation::OutsidePass),
                (Scope::Outside, true) => return refused(Violation::InsidePass),
                _ => {}
            }
            match CLASSES[usize::from(index)] {
                Class::Draw if !self.bound[0] => refused(Violation::NoPipeline),
                Class::Dispatch if !self.bound[1] => refused(Violation::NoPipeline),
                Class::TraceRays if !self.bound[2] => refused(Violation::NoPipeline),
                Class::EndPass if self.pass.is_none() => refused(Violation::NotBegun),
                Class::End(pair) if self.open[pair as usize].0 == 0 => refused(Violation::NotBegun),
                class => {
                    self.note(class, index);
                    Ok(())
                }
            }
        }

        fn note(&mut self, class: Class, index: u16) {
            match class {
                Class::BindShaders => (self.bound[0], self.bound[1]) = (true, true),
                Class::Execute => self.bound = [false; 3],
                Class::BeginPass => self.pass = Some(index),
                Class::EndPass => self.pass = None,
                Class::Begin(pair) => {
                    let (count, last) = &mut self.open[pair as usize];
                    (*count, *last) = (count.saturating_add(1), index);
                }
                Class::End(pair) => self.open[pair as usize].0 -= 1,
                _ => {}
            }
        }

        /// Looks at what is open at the end of the slot.
        pub(crate) fn end(&self) -> Result<(), RecordError> {
            let open = self.open.iter().find(|(count, _)| *count > 0);
            match self.pass.or(open.map(|(_, last)| *last)) {
                Some(index) if self.on => Err(RecordError::Violation {
                    command: Command::of(index).name,
                    violation: Violation::LeftOpen,
                }),
                _ => Ok(()),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn index(name: &str) -> u16 {
            let found = COMMANDS.iter().position(|command| command.name == name);
            found.expect("it is encoded") as u16
        }

        #[test]
        fn every_name_with_a_class_is_a_command() {
            for (name, class) in NAMED {
                assert!(CLASSES[usize::from(index(name))] == class, "{name}");
            }
        }

        #[test]
        fn a_secondary_refuses_what_primaries_alone_may_have() {
            let secondary = Standing {
                secondary: true,
                ..Standing::OUTSIDE
            };
            let refused = |name, standing| {
                let mut state = State::new(Checks::default(), standing);
                state.command(index(name)).is_err()
            };
            for name in ["vkCmdBeginRenderPass", "vkCmdBeginRenderPass2"] {
                assert!(refused(name, secondary) && !refused(name, Standing::OUTSIDE));
            }
            assert!(!refused("vkCmdBeginRendering", secondary));
        }
    }
}
