//! Order, loss and duplication: what one sender sent arrives once and in the order sent.

use std::cmp::Ordering;
use std::collections::HashMap;

use agate::{Limits, TryRecvError};

use crate::world::{Hub, Lane, Mail, Party, Refused, Run, Turn, World, in_every_scope};

/// A multiple of 5: so many are sent in a visit.
const EACH: u32 = if cfg!(miri) { 10 } else { 400 };

/// Every sender's mails are there, once and in order.
#[track_caller]
pub(crate) fn all_in_order(got: &[Mail], senders: &[(u32, u32)]) {
    let mut next: HashMap<u32, u32> = HashMap::new();
    for &(from, number) in got {
        let next = next.entry(from).or_insert(0);
        assert_eq!(number, *next, "the next mail from {from}");
        *next += 1;
    }
    for (from, count) in senders {
        assert_eq!(next.remove(from).unwrap_or(0), *count, "mails from {from}");
    }
    assert!(next.is_empty(), "mails from nobody: {next:?}");
}

/// Sends its mails one by one.
fn send<S: World>(party: &mut Party<S>) -> Turn {
    if party.at == party.most {
        return Turn::Done;
    }
    let mail = (party.id, party.at);
    match party.tx.as_mut().unwrap().try_send(mail) {
        Ok(()) => {
            party.at += 1;
            Turn::Went
        }
        Err(refused) => {
            assert_eq!(refused, Refused::Full(mail), "what is refused comes back");
            Turn::Stuck
        }
    }
}

/// Sends its mails in batches of growing size.
fn send_batches<S: World>(party: &mut Party<S>) -> Turn {
    if party.at == party.most {
        return Turn::Done;
    }
    let size = 1 + party.at % 11;
    let end = (party.at + size).min(party.most);
    let mut mails = (party.at..end).map(|number| (party.id, number));
    let sent = party.tx.as_mut().unwrap().try_send_batch(&mut mails);
    let sent = u32::try_from(sent.unwrap()).unwrap();
    assert_eq!(
        mails.len() as u32,
        end - party.at - sent,
        "the rest stays in the iterator"
    );
    party.at += sent;
    if sent == 0 { Turn::Stuck } else { Turn::Went }
}

/// Attaches, sends a few, detaches, and again under another name: what it left is for the receiver all the same.
fn come_and_go<S: World>(party: &mut Party<S>) -> Turn {
    if party.at == party.most {
        return Turn::Done;
    }
    let hub = party.hub.as_ref().unwrap();
    let tx = party
        .tx
        .get_or_insert_with(|| hub.attach_sender().expect("nobody else has this place"));
    let visit = party.at / 5;
    let mail = (party.id * 1000 + visit, party.at % 5);
    match tx.try_send(mail) {
        Ok(()) => {
            party.at += 1;
            if party.at % 5 == 0 {
                party.tx = None;
            }
            Turn::Went
        }
        Err(refused) => {
            assert_eq!(refused, Refused::Full(mail));
            Turn::Stuck
        }
    }
}

/// Receives one by one until all senders are gone.
pub(crate) fn receive<S: World>(party: &mut Party<S>) -> Turn {
    match party.rx.as_mut().unwrap().try_recv() {
        Ok(mail) => {
            party.mails.push(mail);
            Turn::Went
        }
        Err(TryRecvError::Empty) => Turn::Stuck,
        Err(TryRecvError::Disconnected) => Turn::Done,
    }
}

/// Receives until it has everything, whoever is attached meanwhile.
fn receive_all<S: World>(party: &mut Party<S>) -> Turn {
    let got = party.rx.as_mut().unwrap().drain(6);
    let nothing = got.is_empty();
    party.mails.extend(got);
    match party.mails.len().cmp(&(party.most as usize)) {
        Ordering::Less if nothing => Turn::Stuck,
        Ordering::Less => Turn::Went,
        Ordering::Equal => Turn::Done,
        Ordering::Greater => panic!("more came than was sent"),
    }
}

/// Receives by drains that it breaks off in different places.
fn receive_drains<S: World>(party: &mut Party<S>) -> Turn {
    party.at += 1;
    let most = [1, 2, 5, usize::MAX][party.at as usize % 4];
    let got = party.rx.as_mut().unwrap().drain(most);
    if got.is_empty() {
        return receive(party);
    }
    party.mails.extend(got);
    Turn::Went
}

/// Takes a few, gives the receiver's place back, and takes it again when it is free.
fn receive_by_turns<S: World>(party: &mut Party<S>) -> Turn {
    if party.rx.is_none() {
        let Ok(rx) = party.hub.as_ref().unwrap().attach_receiver() else {
            return Turn::Stuck;
        };
        party.rx = Some(rx);
    }
    let turn = receive(party);
    party.at += 1;
    if party.at % 4 == 0 || turn != Turn::Went {
        party.rx.take().unwrap().detach();
    }
    turn
}

type Step<S> = fn(&mut Party<S>) -> Turn;

/// Three senders and some receivers on one hub; returns what each receiver got.
fn exchange<S: World>(
    scope: S,
    (lane, run): (Lane, Run),
    senders: [Step<S>; 3],
    receivers: &[Step<S>],
) -> Vec<Vec<Mail>> {
    let hub = Hub::new(scope, lane, Limits::senders(3));
    let mut parties = Vec::new();
    for (id, step) in (0..).zip(senders) {
        parties.push(Party {
            // Attached here, so that the receiver does not find itself alone before they begin.
            tx: Some(hub.attach_sender().unwrap()),
            hub: Some(hub.clone()),
            most: EACH,
            ..Party::new(id, step)
        });
    }
    for (id, step) in (100..).zip(receivers) {
        parties.push(Party {
            rx: (receivers.len() == 1).then(|| hub.attach_receiver().unwrap()),
            hub: Some(hub.clone()),
            most: 3 * EACH,
            ..Party::new(id, *step)
        });
    }
    drop(hub);
    let parties = S::run(run, parties);
    parties
        .into_iter()
        .filter(|party| party.id >= 100)
        .map(|party| party.mails)
        .collect()
}

fn what_is_sent_arrives_once_and_in_order<S: World>(scope: S) {
    let everyone = [(0, EACH), (1, EACH), (2, EACH)];
    for lane in Lane::ALL {
        for &run in S::RUNS {
            for receiver in [receive as Step<S>, receive_drains] {
                for senders in [[send as Step<S>; 3], [send_batches, send, send_batches]] {
                    let got = exchange(scope, (lane, run), senders, &[receiver]);
                    all_in_order(&got[0], &everyone);
                }
            }
        }
    }
}

fn a_lane_that_passes_from_sender_to_sender_keeps_what_is_in_it<S: World>(scope: S) {
    for lane in Lane::ALL {
        for &run in S::RUNS {
            let got = exchange(scope, (lane, run), [come_and_go; 3], &[receive_all]);
            let visits = |id: u32| (0..EACH / 5).map(move |visit| (id * 1000 + visit, 5));
            let senders: Vec<_> = (0..3_u32).flat_map(visits).collect();
            all_in_order(&got[0], &senders);
        }
    }
}

fn receivers_that_take_turns_lose_and_repeat_nothing<S: World>(scope: S) {
    for lane in Lane::QUEUES {
        for &run in S::RUNS {
            let got = exchange(
                scope,
                (lane, run),
                [send; 3],
                &[receive_by_turns, receive_by_turns],
            );
            let mut all: Vec<Mail> = got.concat();
            for one in &got {
                for from in 0..3 {
                    let mut numbers = one.iter().filter(|mail| mail.0 == from);
                    assert!(
                        numbers
                            .clone()
                            .zip(numbers.by_ref().skip(1))
                            .all(|(a, b)| a < b)
                    );
                }
            }
            all.sort_unstable();
            all_in_order(&all, &[(0, EACH), (1, EACH), (2, EACH)]);
        }
    }
}

in_every_scope! {
    what_is_sent_arrives_once_and_in_order
    a_lane_that_passes_from_sender_to_sender_keeps_what_is_in_it
    receivers_that_take_turns_lose_and_repeat_nothing
}
