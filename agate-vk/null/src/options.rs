//! How a device is made.

/// What one `vkCmd*` costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Nothing: every `vkCmd*` is an empty function.
    #[default]
    None,
    /// About 14 ns in all: its words go into a ring of its pool, the rest is a chain of multiplications whose length is
    /// measured once, when the device is made. Published figures of real drivers are 20 to 40 ns for a draw call and its
    /// state, so this is a real driver's on the cheap side.
    Simulated,
}

/// The options of a [`NullDevice`](crate::NullDevice): by default no costs and no checks.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct NullOptions {
    pub(crate) cost: Cost,
    pub(crate) capture: bool,
    pub(crate) checked: bool,
    pub(crate) owner_only: bool,
    pub(crate) manual: bool,
    pub(crate) no_early_waits: bool,
    pub(crate) labels: bool,
    pub(crate) families: u32,
    pub(crate) queues: u32,
}

impl Default for NullOptions {
    fn default() -> Self {
        Self {
            cost: Cost::None,
            capture: false,
            checked: false,
            owner_only: false,
            manual: false,
            no_early_waits: false,
            labels: false,
            families: 1,
            queues: 1,
        }
    }
}

impl NullOptions {
    /// What one `vkCmd*` costs. A device that captures or checks costs what that costs.
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Keeps every `vkCmd*` with its arguments, for [`NullDevice::captured`](crate::NullDevice::captured).
    pub fn capture(mut self) -> Self {
        self.capture = true;
        self
    }

    /// Checks who uses what when, for [`NullDevice::violations`](crate::NullDevice::violations). Objects keep their memory
    /// after their destruction, so that a use after it is reported and does nothing worse.
    pub fn checked(mut self) -> Self {
        self.checked = true;
        self
    }

    /// As [`checked`](Self::checked); moreover each pool and the queue belong to the thread that uses them first, until
    /// [`NullDevice::hand_over`](crate::NullDevice::hand_over).
    pub fn owner_only(mut self) -> Self {
        self.owner_only = true;
        self.checked()
    }

    /// Submissions stay pending until [`NullDevice::release`](crate::NullDevice::release).
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// The device has `families` queue families, each with `queues` queues; by default one of one.
    pub fn queues(mut self, families: u32, queues: u32) -> Self {
        self.families = families.max(1);
        self.queues = queues.max(1);
        self
    }

    /// The device has the functions of `VK_EXT_debug_utils`, and keeps what they say, for
    /// [`NullDevice::labels`](crate::NullDevice::labels).
    pub fn labels(mut self) -> Self {
        self.labels = true;
        self
    }

    /// As [`checked`](Self::checked); moreover a submission may only wait for values of timelines that earlier submissions
    /// signal. Vulkan allows more, at the price of a queue that stands still.
    pub fn no_early_waits(mut self) -> Self {
        self.no_early_waits = true;
        self.checked()
    }

    pub(crate) fn observes(self) -> bool {
        self.capture || self.checked
    }
}
