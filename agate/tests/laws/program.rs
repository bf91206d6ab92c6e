//! Random programs over one queue, and the plain model that says what each step must give.

use std::collections::VecDeque;

use proptest::prelude::*;

/// One step. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    AttachSender,
    CloneSender(usize),
    DropSender(usize),
    Send(usize),
    Batch(usize, usize),
    AttachReceiver,
    DetachReceiver,
    DropReceiver,
    Receive,
    Drain(usize),
    DrainInto(usize),
    Close,
    DropHandle,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::AttachSender),
        1 => (0..8_usize).prop_map(Step::CloneSender),
        2 => (0..8_usize).prop_map(Step::DropSender),
        8 => (0..8_usize).prop_map(Step::Send),
        5 => (0..8_usize, 0..12_usize).prop_map(|(sender, count)| Step::Batch(sender, count)),
        3 => Just(Step::AttachReceiver),
        1 => Just(Step::DetachReceiver),
        5 => Just(Step::Receive),
        5 => (0..12_usize).prop_map(Step::Drain),
        3 => (0..12_usize).prop_map(Step::DrainInto),
    ]
}

/// The steps that end something; at most a few in a program, at its end.
pub(crate) fn last_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => step(),
        1 => Just(Step::Close),
        1 => Just(Step::DropReceiver),
        1 => Just(Step::DropHandle),
    ]
}

/// How a step of sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// So many were accepted.
    Ok(usize),
    Full,
    Closed,
}

/// How attaching ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attached {
    Ok,
    Limit,
    Closed,
}

/// How a receive ended that gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    Empty,
    Disconnected,
}

/// What a queue is, said plainly: lanes, who holds which, and three flags.
#[derive(Debug)]
pub(crate) struct Model {
    capacity: usize,
    limit: usize,
    /// Whether all senders share the first lane, and so one order and one capacity.
    total: bool,
    lanes: Vec<VecDeque<u32>>,
    /// Lanes without a sender; the one given back last is taken first.
    free: Vec<usize>,
    /// The lane of each attached sender.
    pub(crate) senders: Vec<usize>,
    had_sender: bool,
    pub(crate) receiver: bool,
    closed: bool,
    retired: bool,
    pub(crate) named: bool,
}

impl Model {
    pub(crate) fn new(capacity: usize, limit: usize, total: bool) -> Self {
        Self {
            capacity,
            limit,
            total,
            lanes: Vec::from_iter(total.then(VecDeque::new)),
            free: Vec::new(),
            senders: Vec::new(),
            had_sender: false,
            receiver: false,
            closed: false,
            retired: false,
            named: true,
        }
    }

    pub(crate) fn attach_sender(&mut self) -> Attached {
        if self.closed {
            return Attached::Closed;
        }
        if self.senders.len() == self.limit {
            return Attached::Limit;
        }
        let lane = self.free.pop().unwrap_or_else(|| {
            if self.total {
                return 0;
            }
            self.lanes.push(VecDeque::new());
            self.lanes.len() - 1
        });
        self.senders.push(lane);
        self.had_sender = true;
        Attached::Ok
    }

    pub(crate) fn drop_sender(&mut self, sender: usize) {
        self.free.push(self.senders.remove(sender));
    }

    pub(crate) fn send(&mut self, sender: usize, message: u32) -> Sent {
        match self.send_batch(sender, [message].into_iter()) {
            Sent::Ok(0) => Sent::Full,
            sent => sent,
        }
    }

    pub(crate) fn send_batch(
        &mut self,
        sender: usize,
        messages: impl Iterator<Item = u32>,
    ) -> Sent {
        if self.closed {
            return Sent::Closed;
        }
        let lane = &mut self.lanes[self.senders[sender]];
        let room = self.capacity - lane.len();
        let before = lane.len();
        lane.extend(messages.take(room));
        Sent::Ok(lane.len() - before)
    }

    pub(crate) fn attach_receiver(&mut self) -> Attached {
        if self.receiver {
            return Attached::Limit;
        }
        if self.retired {
            return Attached::Closed;
        }
        self.receiver = true;
        Attached::Ok
    }

    pub(crate) fn detach_receiver(&mut self) {
        self.receiver = false;
    }

    pub(crate) fn drop_receiver(&mut self) {
        self.receiver = false;
        (self.closed, self.retired) = (true, true);
        self.lanes.iter_mut().for_each(VecDeque::clear);
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// A message came out: it is the oldest of some lane. Which lane's turn it is, the model leaves open.
    #[track_caller]
    pub(crate) fn received(&mut self, message: u32) {
        let lane = self
            .lanes
            .iter_mut()
            .find(|lane| lane.front() == Some(&message));
        let lane = lane.unwrap_or_else(|| panic!("{message} is not the oldest of any lane"));
        lane.pop_front();
    }

    /// What a receive must say when it gives no message.
    #[track_caller]
    pub(crate) fn nothing(&self) -> Nothing {
        assert_eq!(
            self.waiting(),
            0,
            "something waits, and nothing was received"
        );
        let can_end = self.had_sender || !self.named;
        if self.closed || (can_end && self.senders.is_empty()) {
            Nothing::Disconnected
        } else {
            Nothing::Empty
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }
}
