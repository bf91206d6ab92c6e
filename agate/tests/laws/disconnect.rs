//! The other side's end: each side sees it, gets back what was refused, and can still have what was accepted.

use std::hint::spin_loop;
use std::sync::mpsc;
use std::thread;

use agate::{AttachError, Closed, Limits, Local, RecvError, TryRecvError};

use crate::order::receive;
use crate::world::{Hub, LONG, Lane, Mail, Party, Refused, Run, Turn, Tx, World, in_every_scope};

const AFTER: u32 = if cfg!(miri) { 10 } else { 100 };

/// Sends without end, until nobody receives any more; keeps what was accepted.
fn send_until_closed<S: World>(party: &mut Party<S>) -> Turn {
    let mail = (party.id, party.mails.len() as u32);
    match party.tx.as_mut().unwrap().try_send(mail) {
        Ok(()) => {
            party.mails.push(mail);
            Turn::Went
        }
        Err(Refused::Full(back)) => {
            assert_eq!(back, mail);
            Turn::Stuck
        }
        Err(Refused::Closed(back)) => {
            assert_eq!(back, mail);
            assert_eq!(
                party.tx.as_ref().unwrap().try_clone().err(),
                Some(AttachError::Closed)
            );
            Turn::Done
        }
    }
}

/// Receives a few and drops the receiver.
fn receive_a_few<S: World>(party: &mut Party<S>) -> Turn {
    if party.mails.len() as u32 == party.most {
        return Turn::Done;
    }
    receive(party)
}

/// Receives a few, then closes by the handle, and goes on until there is nothing more.
fn close_after_a_few<S: World>(party: &mut Party<S>) -> Turn {
    if party.mails.len() as u32 == party.most {
        party.hub.as_ref().unwrap().close();
        // Not again: the count goes on.
        party.most = u32::MAX;
    }
    receive(party)
}

/// What a receiver got of each sender is the beginning of what was accepted from it.
#[track_caller]
fn is_beginning(got: &[Mail], accepted: &[Mail]) {
    let Some(&(from, _)) = accepted.first() else {
        return;
    };
    let got: Vec<Mail> = got.iter().copied().filter(|mail| mail.0 == from).collect();
    assert!(accepted.starts_with(&got), "of sender {from}: {got:?}");
}

fn end_in_the_middle<S: World>(scope: S, lane: Lane, run: Run, end: fn(&mut Party<S>) -> Turn) {
    let hub = Hub::new(scope, lane, Limits::none());
    let mut parties: Vec<_> = (0..2)
        .map(|id| Party {
            tx: Some(hub.attach_sender().unwrap()),
            ..Party::new(id, send_until_closed)
        })
        .collect();
    parties.push(Party {
        rx: Some(hub.attach_receiver().unwrap()),
        hub: Some(hub.clone()),
        most: AFTER,
        ..Party::new(100, end)
    });
    let parties = S::run(run, parties);
    let got = &parties[2].mails;
    assert!(got.len() as u32 >= AFTER);
    for sender in &parties[..2] {
        is_beginning(got, &sender.mails);
    }
    assert_eq!(hub.attach_sender().err(), Some(AttachError::Closed));
    assert_eq!(hub.attach_receiver().err(), Some(AttachError::Closed));
}

fn senders_see_that_the_receiver_is_gone<S: World>(scope: S) {
    for lane in Lane::ALL {
        for &run in S::RUNS {
            end_in_the_middle(scope, lane, run, receive_a_few);
        }
    }
}

fn everyone_sees_a_close<S: World>(scope: S) {
    for lane in Lane::ALL {
        for &run in S::RUNS {
            end_in_the_middle(scope, lane, run, close_after_a_few);
        }
    }
}

fn what_was_accepted_before_a_close_can_be_had_after_it<S: World>(scope: S) {
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(2));
        let (mut one, mut two) = (hub.attach_sender().unwrap(), hub.attach_sender().unwrap());
        let mut rx = hub.attach_receiver().unwrap();
        let mut accepted = Vec::new();
        for number in 0..3 {
            accepted.extend(one.try_send((1, number)).is_ok().then_some((1, number)));
            accepted.extend(two.try_send((2, number)).is_ok().then_some((2, number)));
        }
        hub.close();
        hub.close();
        assert_eq!(one.try_send((1, 9)), Err(Refused::Closed((1, 9))));
        assert_eq!(two.try_send_batch(&mut [(2, 9)].into_iter()), Err(Closed));
        drop(one);
        let mut got: Vec<Mail> = std::iter::from_fn(|| rx.try_recv().ok()).collect();
        got.sort_unstable();
        accepted.sort_unstable();
        assert_eq!(got, accepted);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
        assert_eq!(rx.recv_timeout(LONG), Err(RecvError::Disconnected));
    }
}

fn a_receiver_sees_that_the_last_sender_is_gone_and_that_one_comes_back<S: World>(scope: S) {
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(2));
        let mut rx = hub.attach_receiver().unwrap();
        assert_eq!(
            rx.try_recv(),
            Err(TryRecvError::Empty),
            "none was there yet"
        );
        for number in 0..3 {
            let (mut one, two) = (hub.attach_sender().unwrap(), hub.attach_sender().unwrap());
            drop(two);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "one is left");
            one.try_send((0, number)).unwrap();
            drop(one);
            assert_eq!(rx.wait_recv(), Ok((0, number)), "what it sent comes first");
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
        }
        drop(hub.attach_sender().unwrap());
        drop(hub);
        assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
    }
}

#[test]
fn a_waiting_receiver_is_told_of_every_end() {
    let scope = Local;
    type End = fn(Hub<Local>, Tx<Local>);
    let ends: [(&str, End); 4] = [
        ("the last sender goes", |_hub, tx| drop(tx)),
        ("closed by a handle", |hub, _tx| hub.close()),
        ("the last handle goes, then the sender", |hub, tx| {
            drop(hub);
            drop(tx);
        }),
        ("the last sender goes, then the handle", |hub, tx| {
            drop(tx);
            drop(hub);
        }),
    ];
    for lane in Lane::ALL {
        for (what, end) in ends {
            let hub = Hub::new(scope, lane, Limits::senders(1));
            let tx = hub.attach_sender().unwrap();
            let mut rx = hub.attach_receiver().unwrap();
            let waiter = thread::spawn(move || rx.recv_timeout(LONG));
            end(hub, tx);
            let told = waiter.join().unwrap();
            assert_eq!(told, Err(RecvError::Disconnected), "{lane:?}: {what}");
        }
    }
}

#[test]
fn what_a_sender_sends_last_comes_before_the_end() {
    let rounds = if cfg!(miri) { 5 } else { 500 };
    for lane in Lane::ALL {
        let hub = Hub::new(Local, lane, Limits::senders(1));
        let mut rx = hub.attach_receiver().unwrap();
        let (give, given) = mpsc::channel::<Tx<Local>>();
        let leaver = thread::spawn(move || {
            for (number, mut tx) in (0..).zip(given) {
                tx.try_send((1, number)).unwrap();
                drop(tx);
            }
        });
        for number in 0..rounds {
            give.send(hub.attach_sender().unwrap()).unwrap();
            let got = loop {
                match rx.try_recv() {
                    Err(TryRecvError::Empty) => spin_loop(),
                    got => break got,
                }
            };
            assert_eq!(got, Ok((1, number)), "{lane:?}");
            assert_eq!(rx.wait_recv(), Err(RecvError::Disconnected));
        }
        drop(give);
        leaver.join().unwrap();
    }
}

#[test]
fn nobody_waits_for_senders_that_can_never_come() {
    let scope = Local;
    for lane in Lane::ALL {
        let hub = Hub::new(scope, lane, Limits::senders(1));
        let mut rx = hub.attach_receiver().unwrap();
        let waiter = thread::spawn(move || rx.recv_timeout(LONG));
        drop(hub);
        assert_eq!(waiter.join().unwrap(), Err(RecvError::Disconnected));
    }
}

in_every_scope! {
    senders_see_that_the_receiver_is_gone
    everyone_sees_a_close
    what_was_accepted_before_a_close_can_be_had_after_it
    a_receiver_sees_that_the_last_sender_is_gone_and_that_one_comes_back
}
