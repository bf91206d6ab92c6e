//! Slices are sent whole or as far as there is room, and received in rows, in order, once each.

use std::rc::Rc;

use agate::{Capacity, Carries, Closed, Limits, Local, Order, Private, QueueOptions, Scope};

/// Sends `0..all` in slices of many lengths and receives in rows of many lengths.
fn all_arrive_in_order<S: Scope + Carries<u64>>(scope: S, capacity: Capacity, order: Order) {
    let options = QueueOptions::new(capacity).order(order);
    let queue = scope.queue_with::<u64>(options).expect("makes a queue");
    let sender = queue.attach_sender().expect("attaches");
    let mut receiver = queue.attach_receiver().expect("attaches");
    let all: Vec<u64> = (0..3_000).collect();
    let (mut sent, mut received, mut length) = (0, Vec::new(), 1);
    while received.len() < all.len() {
        length = length * 7 % 701;
        let end = all.len().min(sent + length);
        sent += sender.try_send_slice(&all[sent..end]).expect("is open");
        let before = received.len();
        let took = receiver.drain_into(&mut received, length / 2 + 1);
        assert_eq!(received.len(), before + took);
        assert!(took <= length / 2 + 1);
    }
    assert_eq!(received, all);
    assert_eq!(receiver.drain_into(&mut received, 1), 0);
}

#[test]
fn slices_arrive_in_order_in_every_scope_and_kind_of_queue() {
    for capacity in [
        Capacity::bounded(100),
        Capacity::bounded(1),
        Capacity::Unbounded,
    ] {
        for order in [Order::PerSender, Order::Total] {
            all_arrive_in_order(Local, capacity, order);
            all_arrive_in_order(Private, capacity, order);
        }
    }
}

#[test]
fn a_slice_is_sent_as_far_as_there_is_room() {
    let queue = Local
        .queue(Limits::default(), Capacity::bounded(4))
        .expect("makes a queue");
    let sender = queue.attach_sender().expect("attaches");
    let mut receiver = queue.attach_receiver().expect("attaches");
    assert_eq!(sender.try_send_slice(&[1, 2, 3]), Ok(3));
    assert_eq!(sender.try_send_slice(&[]), Ok(0));
    assert_eq!(sender.try_send_slice(&[4, 5, 6]), Ok(1));
    assert_eq!(sender.try_send_slice(&[5]), Ok(0));
    let mut received = vec![0];
    assert_eq!(receiver.drain_into(&mut received, 2), 2);
    assert_eq!(
        sender.try_send_slice(&[5, 6, 7]),
        Ok(2),
        "room is given back"
    );
    assert_eq!(receiver.drain_into(&mut received, 0), 0);
    assert_eq!(receiver.drain_into(&mut received, usize::MAX), 4);
    assert_eq!(received, [0, 1, 2, 3, 4, 5, 6]);
    drop(receiver);
    assert_eq!(sender.try_send_slice(&[8]), Err(Closed));
}

#[test]
fn rows_and_single_messages_go_together_and_all_senders_have_their_turn() {
    let queue = Local
        .queue(Limits::default(), Capacity::Unbounded)
        .expect("makes a queue");
    let senders = [(); 3].map(|()| queue.attach_sender().expect("attaches"));
    let mut receiver = queue.attach_receiver().expect("attaches");
    for (number, sender) in (0_u64..).zip(&senders) {
        let messages: Vec<_> = (0..1_000).map(|message| (number, message)).collect();
        assert_eq!(sender.try_send_slice(&messages), Ok(1_000));
    }
    let mut next = [0; 3];
    let mut check = |(sender, message): (u64, u64)| {
        let next = &mut next[sender as usize];
        assert_eq!(message, *next);
        *next += 1;
    };
    let mut row = Vec::new();
    receiver.drain_into(&mut row, usize::MAX);
    let of = |sender| row.iter().filter(|(from, _)| *from == sender).count();
    assert_eq!([of(0), of(1), of(2)], [256; 3], "a bounded run of each");
    row.drain(..).for_each(&mut check);
    check(receiver.try_recv().expect("more is waiting"));
    receiver.drain().take(10).for_each(&mut check);
    while receiver.drain_into(&mut row, 100) > 0 {
        row.drain(..).for_each(&mut check);
    }
    assert_eq!(next, [1_000; 3]);
}

#[test]
fn what_is_received_in_rows_is_dropped_once() {
    let queue = Private
        .queue(Limits::default(), Capacity::bounded(8))
        .expect("makes a queue");
    let sender = queue.attach_sender().expect("attaches");
    let mut receiver = queue.attach_receiver().expect("attaches");
    let counted = Rc::new(());
    for _ in 0..8 {
        sender.try_send(counted.clone()).expect("has room");
    }
    let mut row = Vec::new();
    assert_eq!(receiver.drain_into(&mut row, 5), 5);
    assert_eq!(Rc::strong_count(&counted), 9);
    drop(row);
    assert_eq!(Rc::strong_count(&counted), 4);
    drop(receiver);
    assert_eq!(Rc::strong_count(&counted), 1);
}

#[test]
fn messages_without_a_size_go_too() {
    let queue = Local
        .queue(Limits::default(), Capacity::bounded(8))
        .expect("makes a queue");
    let sender = queue.attach_sender().expect("attaches");
    let mut receiver = queue.attach_receiver().expect("attaches");
    assert_eq!(sender.try_send_slice(&[(); 20]), Ok(8));
    let mut row = Vec::new();
    assert_eq!(receiver.drain_into(&mut row, 100), 8);
}
