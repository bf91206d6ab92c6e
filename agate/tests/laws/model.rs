//! Random programs: the queue and the plain model agree at every step.

use agate::{
    AttachError, Capacity, Handle, Limits, Local, Order, Private, Queue, QueueOptions, Receiver,
    Role, Sender, TryRecvError, TrySendError,
};
use proptest::prelude::*;

use crate::program::{Attached, Model, Nothing, Sent, Step, last_step, step};
use crate::world::World;

const LIMIT: usize = 4;

/// The queue under test, its users, and the model of all of them.
struct Both<S: World> {
    model: Model,
    queue: Option<Handle<Queue<Box<u32>, S>, S>>,
    senders: Vec<Sender<Box<u32>, S>>,
    receiver: Option<Receiver<Box<u32>, S>>,
    /// The next message.
    next: u32,
}

impl<S: World> Both<S> {
    fn new(scope: S, capacity: Option<usize>, order: Order) -> Self {
        let bound = capacity.map_or(Capacity::Unbounded, Capacity::bounded);
        let options = QueueOptions::new(bound).limits(Limits::senders(LIMIT));
        let total = order == Order::Total;
        Self {
            model: Model::new(capacity.unwrap_or(usize::MAX), LIMIT, total),
            queue: Some(scope.queue_with(options.order(order)).unwrap()),
            senders: Vec::new(),
            receiver: None,
            next: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::AttachSender => {
                if let Some(queue) = &self.queue {
                    let sender = queue.attach_sender();
                    self.attached(sender);
                }
            }
            Step::CloneSender(which) => {
                if let Some(sender) = self.sender(which) {
                    let sender = self.senders[sender].try_clone();
                    self.attached(sender);
                }
            }
            Step::DropSender(which) => {
                if let Some(sender) = self.sender(which) {
                    drop(self.senders.remove(sender));
                    self.model.drop_sender(sender);
                }
            }
            Step::Send(which) => {
                if let Some(sender) = self.sender(which) {
                    self.send(sender);
                }
            }
            Step::Batch(which, count) => {
                if let Some(sender) = self.sender(which) {
                    self.send_batch(sender, count as u32);
                }
            }
            Step::AttachReceiver => self.attach_receiver(),
            Step::DetachReceiver => {
                if let Some(receiver) = self.receiver.take() {
                    receiver.detach();
                    self.model.detach_receiver();
                }
            }
            Step::DropReceiver => {
                if self.receiver.take().is_some() {
                    self.model.drop_receiver();
                }
            }
            Step::Receive => self.receive(),
            Step::Drain(most) => {
                self.drain(most, |receiver, most| receiver.drain().take(most).collect());
            }
            Step::DrainInto(most) => self.drain(most, |receiver, most| {
                let mut row = Vec::new();
                assert_eq!(receiver.drain_into(&mut row, most), row.len());
                row
            }),
            Step::Close => {
                if let Some(queue) = &self.queue {
                    queue.close();
                    self.model.close();
                }
            }
            Step::DropHandle => {
                self.queue = None;
                self.model.named = false;
            }
        }
        if let Some(queue) = &self.queue {
            assert_eq!(queue.attached(Role::Sender), self.model.senders.len());
            assert_eq!(
                queue.attached(Role::Receiver),
                usize::from(self.model.receiver)
            );
        }
    }

    fn sender(&self, which: usize) -> Option<usize> {
        which.checked_rem(self.senders.len())
    }

    fn attached(&mut self, sender: Result<Sender<Box<u32>, S>, AttachError>) {
        assert_eq!(attached(sender.as_ref().err()), self.model.attach_sender());
        self.senders.extend(sender);
    }

    fn attach_receiver(&mut self) {
        let Some(queue) = &self.queue else { return };
        let receiver = queue.attach_receiver();
        assert_eq!(
            attached(receiver.as_ref().err()),
            self.model.attach_receiver()
        );
        if let Ok(receiver) = receiver {
            self.receiver = Some(receiver);
        }
    }

    fn send(&mut self, sender: usize) {
        let message = self.next;
        self.next += 1;
        let sent = match self.senders[sender].try_send(Box::new(message)) {
            Ok(()) => Sent::Ok(1),
            Err(TrySendError::Full(back)) => {
                assert_eq!(*back, message);
                Sent::Full
            }
            Err(TrySendError::Closed(back)) => {
                assert_eq!(*back, message);
                Sent::Closed
            }
        };
        assert_eq!(sent, self.model.send(sender, message));
    }

    fn send_batch(&mut self, sender: usize, count: u32) {
        let numbers = self.next..self.next + count;
        self.next += count;
        let mut messages = numbers.clone().map(Box::new);
        let sent = match self.senders[sender].try_send_batch(&mut messages) {
            Ok(sent) => Sent::Ok(sent),
            Err(_) => Sent::Closed,
        };
        assert_eq!(sent, self.model.send_batch(sender, numbers.clone()));
        let accepted = match sent {
            Sent::Ok(sent) => sent,
            _ => 0,
        };
        assert_eq!(messages.len(), numbers.len() - accepted);
    }

    fn receive(&mut self) {
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        match receiver.try_recv() {
            Ok(message) => self.model.received(*message),
            Err(error) => assert_eq!(nothing(error), self.model.nothing()),
        }
    }

    fn drain(
        &mut self,
        most: usize,
        drain: impl FnOnce(&mut Receiver<Box<u32>, S>, usize) -> Vec<Box<u32>>,
    ) {
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        let waiting = self.model.waiting();
        let mut got = 0;
        for message in drain(receiver, most) {
            self.model.received(*message);
            got += 1;
        }
        // So few fit into the bounded runs of a round, so it gives all that there is.
        assert_eq!(got, waiting.min(most));
    }
}

fn attached(error: Option<&AttachError>) -> Attached {
    match error {
        None => Attached::Ok,
        Some(AttachError::LimitReached { .. }) => Attached::Limit,
        Some(AttachError::Closed) => Attached::Closed,
        Some(error) => panic!("{error}"),
    }
}

fn nothing(error: TryRecvError) -> Nothing {
    match error {
        TryRecvError::Empty => Nothing::Empty,
        TryRecvError::Disconnected => Nothing::Disconnected,
    }
}

/// Few by default; the variable `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|cases| cases.parse().ok()).unwrap_or(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Runs a program in a scope, with lanes and in total order.
fn run<S: World>(scope: S, capacity: Option<usize>, steps: &[Step]) {
    for order in [Order::PerSender, Order::Total] {
        let mut both = Both::new(scope, capacity, order);
        for step in steps {
            both.step(step.clone());
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    #[cfg_attr(miri, ignore = "making random programs alone takes minutes there")]
    fn queue_and_model_agree(
        capacity in prop_oneof![Just(None), (1..10_usize).prop_map(Some)],
        mut steps in prop::collection::vec(step(), 1..120),
        last in prop::collection::vec(last_step(), 0..30),
    ) {
        steps.extend(last);
        run(Private, capacity, &steps);
        run(Local, capacity, &steps);
    }
}
