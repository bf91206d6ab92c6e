//! Places: limits count who is attached, name the role and the number, and a place that is given back is free again.

use agate::{AttachError, Limits, Role};

use crate::world::{Hub, Lane, World, in_every_scope};

/// Which limit was reached.
fn full(error: Option<AttachError>) -> Option<(Role, usize)> {
    match error {
        Some(AttachError::LimitReached { role, limit, .. }) => Some((role, limit)),
        _ => None,
    }
}

fn the_limit_on_senders_holds_and_is_named<S: World>(scope: S) {
    for lane in Lane::ALL {
        for limit in [0, 1, 2, 9] {
            let hub = Hub::new(scope, lane, Limits::senders(limit));
            for _ in 0..3 {
                let mut senders: Vec<_> =
                    (0..limit).map(|_| hub.attach_sender().unwrap()).collect();
                assert_eq!(hub.attached(Role::Sender), limit);
                assert_eq!(full(hub.attach_sender().err()), Some((Role::Sender, limit)));
                if let Some(one) = senders.pop() {
                    assert_eq!(full(one.try_clone().err()), Some((Role::Sender, limit)));
                    drop(one);
                    senders.push(match senders.first() {
                        Some(other) => other.try_clone().unwrap(),
                        None => hub.attach_sender().unwrap(),
                    });
                    assert_eq!(full(hub.attach_sender().err()), Some((Role::Sender, limit)));
                }
            }
            assert_eq!(hub.attached(Role::Sender), 0);
        }
    }
}

fn lanes_serve_one_receiver_whatever_the_limit_says_and_total_order_as_many<S: World>(scope: S) {
    for lane in Lane::ALL {
        for limit in [1, 5] {
            let hub = Hub::new(scope, lane, Limits::none().receivers(limit));
            let serves = if lane.is_total() { limit } else { 1 };
            let all: Vec<_> = (0..serves)
                .map(|_| hub.attach_receiver().unwrap())
                .collect();
            let refused = full(hub.attach_receiver().err());
            assert_eq!(refused, Some((Role::Receiver, serves)));
            assert_eq!(hub.attached(Role::Receiver), serves);
            drop(all);
        }
        let hub = Hub::new(scope, lane, Limits::none().receivers(0));
        assert_eq!(full(hub.attach_receiver().err()), Some((Role::Receiver, 0)));
    }
}

fn a_receivers_place_passes_on_by_detach_and_not_by_drop<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        let hub = Hub::new(scope, lane, Limits::none());
        for _ in 0..5 {
            hub.attach_receiver().unwrap().detach();
        }
        assert_eq!(hub.attached(Role::Receiver), 0);
        drop(hub.attach_receiver().unwrap());
        assert_eq!(hub.attach_receiver().err(), Some(AttachError::Closed));
    }
}

fn who_was_refused_holds_no_place<S: World>(scope: S) {
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        let tx = hub.attach_sender().unwrap();
        for _ in 0..3 {
            hub.attach_sender().err().unwrap();
            tx.try_clone().err().unwrap();
            assert_eq!(hub.attached(Role::Sender), 1);
        }
        drop(tx);
        hub.close();
        for _ in 0..3 {
            assert_eq!(hub.attach_sender().err(), Some(AttachError::Closed));
            assert_eq!(hub.attached(Role::Sender), 0);
        }
    }
}

fn attach_and_detach_in_a_loop_finds_a_place_each_time<S: World>(scope: S) {
    let rounds = if cfg!(miri) { 50 } else { 10_000 };
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        for _ in 0..rounds {
            hub.attach_sender().unwrap();
        }
        let mut rx = hub.attach_receiver().unwrap();
        // With something left in the lane each time, and nobody who drains it before the end.
        let kept = match lane {
            Lane::Ring(messages) | Lane::Array(messages) => messages,
            Lane::Chain | Lane::List => 50,
            Lane::Stream { blocks, .. } => blocks,
        } as u32;
        for number in 0..kept {
            hub.attach_sender().unwrap().try_send((0, number)).unwrap();
        }
        let got = rx.drain(usize::MAX);
        assert_eq!(got, (0..kept).map(|number| (0, number)).collect::<Vec<_>>());
    }
}

in_every_scope! {
    the_limit_on_senders_holds_and_is_named
    lanes_serve_one_receiver_whatever_the_limit_says_and_total_order_as_many
    a_receivers_place_passes_on_by_detach_and_not_by_drop
    who_was_refused_holds_no_place
    attach_and_detach_in_a_loop_finds_a_place_each_time
}
