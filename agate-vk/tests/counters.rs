//! What a service counts is what the device saw.

#[path = "support/null.rs"]
mod support;

use agate_vk::SubmitOptions;
use agate_vk::agate::OwnerStats;
use null_device::{NullDevice, NullOptions};
use std::time::Duration;
use support::{LONG, checked, close, draw, drawn, run, service, until};

const ALL: agate_vk::vk::PipelineStageFlags2 = agate_vk::vk::PipelineStageFlags2::ALL_COMMANDS;

#[test]
fn submissions_and_their_calls() {
    let null = checked();
    let mut service = service(&null, |options| options.frames_in_flight = 4);
    let calls = || {
        let call = |call: &&&str| **call == "vkQueueSubmit2";
        null.log().iter().filter(call).count() as u64
    };
    for _ in 0..5 {
        run(&mut service).expect("executed");
    }
    let counted = service.counters();
    assert_eq!((counted.frames, counted.submissions), (5, 5));
    assert_eq!((counted.submit_calls, counted.largest_batch), (calls(), 1));
    assert_eq!(counted.held, 0);
    assert!(counted.replay_time > Duration::ZERO && counted.queue_delay > Duration::ZERO);
    assert!(counted.longest_queue_delay <= counted.queue_delay);
    assert!(counted.pool_owner.handled > 5 && counted.retire_owner.handled <= 5);
    // While the owner is in a submission, three more come. However many go out together, the counts agree.
    let inside = null.hold("vkQueueSubmit2");
    let mut tickets = vec![drawn(&mut service).submit(SubmitOptions::default())];
    assert!(inside.wait_entered(LONG));
    for _ in 0..3 {
        tickets.push(drawn(&mut service).submit(SubmitOptions::default()));
    }
    drop(inside);
    for ticket in &mut tickets {
        ticket.wait_timeout(LONG).expect("executed");
    }
    let counted = service.counters();
    assert_eq!((counted.submissions, counted.submit_calls), (9, calls()));
    // One that waits for a frame that is not submitted.
    let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
    let slot = frame.outside(1).expect("room").slot(0).expect("free");
    let first = frame.submit(SubmitOptions::default());
    let options = SubmitOptions::default().after(&first, ALL);
    let mut second = drawn(&mut service).submit(options);
    until("it is held", || service.counters().held == 1);
    slot.stream().expect("room").finish().expect("an owner");
    second.wait_timeout(LONG).expect("executed");
    assert_eq!(service.counters().submissions, 11);
    close(service, &null);
}

#[test]
fn shards_and_what_they_are_sent() {
    const SHARDS: u32 = 3;
    // Jobs take the shards in turn.
    let null = NullDevice::new(NullOptions::default().checked());
    let mut service = service(&null, |options| {
        options.frames_in_flight = 1;
        options.shards = SHARDS;
        // Which would be messages.
        options.trim_after = 10 * LONG;
    });
    let begun = service.counters().shard_owners;
    let mut expected = 0;
    for slots in [5, 1, 12] {
        let mut frame = service.begin_frame_timeout(LONG).expect("a credit");
        let pass = frame.outside_secondaries(slots).expect("room");
        (0..slots).for_each(|slot| draw(&pass, slot));
        let mut ticket = frame.submit(SubmitOptions::default());
        ticket.wait_timeout(LONG).expect("executed");
        // Each slot, and for each shard that the frame is submitted and that it is over.
        expected += u64::from(slots + 2 * SHARDS);
        until("all is handled", || {
            let now = service.counters().shard_owners;
            (now.handled - begun.handled, now.helped - begun.helped) == (expected, expected)
        });
    }
    let all = service.counters().shard_owners;
    assert!(all.batches > 0 && all.batches <= all.handled);
    let each: Vec<_> = service.shard_counters().collect();
    assert_eq!(each.len(), SHARDS as usize);
    assert_eq!(each.iter().map(|one| one.handled).sum::<u64>(), all.handled);
    assert!(each.iter().all(|one| one.handled >= 2 * 3));
    close(service, &null);
    let null = checked();
    let service = support::service(&null, |_| ());
    assert_eq!(service.counters().shard_owners, OwnerStats::default());
    assert_eq!(service.shard_counters().count(), 0);
    close(service, &null);
}
