//! Room: a bounded lane takes exactly its capacity, refuses the next and takes it when one was taken out.

use agate::{Capacity, Closed, CreateError, Limits};

use crate::world::{Hub, Lane, Mail, Refused, Tx, World, in_every_scope};

/// Sends until it is refused; returns how many were accepted.
fn fill<S: World>(tx: &mut Tx<S>, from: u32) -> u32 {
    for number in 0.. {
        match tx.try_send((from, number)) {
            Ok(()) => {}
            Err(refused) => {
                assert_eq!(refused, Refused::Full((from, number)));
                return number;
            }
        }
    }
    unreachable!()
}

fn a_lane_holds_its_capacity_and_not_one_more<S: World>(scope: S) {
    for capacity in [1, 2, 3, 5, 7, 8, 9, 63, 64, 100] {
        let hub = Hub::new(scope, Lane::Ring(capacity), Limits::senders(2));
        let (mut one, mut two) = (hub.attach_sender().unwrap(), hub.attach_sender().unwrap());
        let mut rx = hub.attach_receiver().unwrap();
        let capacity = capacity as u32;
        // Three times round, so that the indices wrap.
        for _ in 0..3 {
            assert_eq!((fill(&mut one, 1), fill(&mut two, 2)), (capacity, capacity));
            assert_eq!(one.try_send_batch(&mut [(1, 0)].into_iter()), Ok(0));
            let mut got = rx.drain(usize::MAX);
            got.sort_unstable();
            let lane = |from| (0..capacity).map(move |number| (from, number));
            assert_eq!(got, lane(1).chain(lane(2)).collect::<Vec<Mail>>());
        }
    }
}

fn each_message_taken_makes_room_for_one<S: World>(scope: S) {
    for capacity in [1, 2, 3, 7] {
        let hub = Hub::new(scope, Lane::Ring(capacity), Limits::senders(1));
        let mut tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        fill(&mut tx, 0);
        for number in capacity as u32..40 {
            assert_eq!(tx.try_send((0, number)), Err(Refused::Full((0, number))));
            let oldest = number - capacity as u32;
            let got = if number % 2 == 0 {
                rx.try_recv().unwrap()
            } else {
                rx.drain(1)[0]
            };
            assert_eq!(got, (0, oldest));
            assert_eq!(tx.try_send((0, number)), Ok(()));
        }
    }
}

fn a_batch_takes_what_fits_and_leaves_the_rest<S: World>(scope: S) {
    for capacity in [1, 3, 8] {
        let hub = Hub::new(scope, Lane::Ring(capacity), Limits::senders(1));
        let mut tx = hub.attach_sender().unwrap();
        let mut rx = hub.attach_receiver().unwrap();
        let mut mails = (0..2 * capacity as u32 + 1).map(|number| (0, number));
        assert_eq!(tx.try_send_batch(&mut mails), Ok(capacity));
        assert_eq!(tx.try_send_batch(&mut mails), Ok(0));
        assert_eq!(rx.drain(usize::MAX).len(), capacity);
        assert_eq!(tx.try_send_batch(&mut mails), Ok(capacity));
        assert_eq!(rx.drain(1).len(), 1);
        assert_eq!(tx.try_send_batch(&mut mails), Ok(1));
        assert_eq!(mails.next(), None);
        hub.close();
        assert_eq!(tx.try_send_batch(&mut [(0, 0)].into_iter()), Err(Closed));
    }
}

fn an_unbounded_lane_refuses_nothing<S: World>(scope: S) {
    let hub = Hub::new(scope, Lane::Chain, Limits::senders(1));
    let mut tx = hub.attach_sender().unwrap();
    let mut rx = hub.attach_receiver().unwrap();
    let many = if cfg!(miri) { 1_100 } else { 100_000 };
    for number in 0..many {
        assert_eq!(tx.try_send((0, number)), Ok(()));
    }
    for number in 0..many {
        assert_eq!(rx.try_recv(), Ok((0, number)));
    }
}

fn a_stream_holds_the_blocks_of_its_pool_and_a_block_taken_makes_room<S: World>(scope: S) {
    let hub = Hub::new(
        scope,
        Lane::Stream {
            blocks: 3,
            bytes: 16,
        },
        Limits::senders(2),
    );
    let mut tx = hub.attach_sender().unwrap();
    let mut rx = hub.attach_receiver().unwrap();
    assert_eq!(fill(&mut tx, 0), 3);
    for number in 3..20 {
        assert_eq!(rx.try_recv(), Ok((0, number - 3)));
        // The block of a message that was received goes back when the next is asked for.
        assert_eq!(tx.try_send((0, number)), Err(Refused::Full((0, number))));
        assert_eq!(rx.try_recv(), Ok((0, number - 2)));
        assert_eq!(tx.try_send((0, number)), Ok(()));
        assert_eq!(rx.drain(usize::MAX).len(), 2);
        assert_eq!(fill(&mut tx, 0), 3);
        // From here on as in the beginning.
        assert_eq!(rx.drain(usize::MAX).len(), 3);
        for again in number - 2..=number {
            assert_eq!(tx.try_send((0, again)), Ok(()));
        }
    }
}

fn a_capacity_that_cannot_be_is_refused_when_the_queue_is_made<S: World>(scope: S) {
    let make = |capacity| scope.queue::<Box<u32>>(Limits::default(), capacity).err();
    assert!(matches!(
        make(Capacity::bounded(0)),
        Some(CreateError::ZeroCapacity)
    ));
    for huge in [usize::MAX, usize::MAX / 2, usize::MAX / 8] {
        assert!(matches!(
            make(Capacity::bounded(huge)),
            Some(CreateError::TooLarge)
        ));
    }
}

in_every_scope! {
    a_lane_holds_its_capacity_and_not_one_more
    each_message_taken_makes_room_for_one
    a_batch_takes_what_fits_and_leaves_the_rest
    an_unbounded_lane_refuses_nothing
    a_stream_holds_the_blocks_of_its_pool_and_a_block_taken_makes_room
    a_capacity_that_cannot_be_is_refused_when_the_queue_is_made
}
