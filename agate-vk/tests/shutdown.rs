//! A service ends at any moment, under load: in time, with every ticket resolved, no rule broken, nothing left behind;
//! and a fresh one on the same device works.

#![allow(unsafe_code, reason = "records commands")]

#[path = "support/null.rs"]
mod support;

use agate_vk::{Pass, Recorder, SubmitOptions, Ticket, TicketError, vk};
use null_device::{Live, NullDevice, NullOptions};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::{LONG, Random, acquire, checked, run, service, swapchain};

/// How many services end: more when asked to go deep.
fn rounds() -> u64 {
    if std::env::var_os("AGATE_DEEP").is_some() {
        1000
    } else {
        60
    }
}

/// How slots are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lanes {
    /// By messages, into the primary.
    Stitched,
    /// Into secondaries: by messages, which shards replay where there are some.
    Secondaries { shards: u32 },
    /// By leases too.
    Leases { shards: u32 },
}

impl Lanes {
    /// Where pools go from thread to thread they belong to none.
    fn device(self) -> NullDevice {
        match self {
            Self::Stitched | Self::Secondaries { shards: 0 } => checked(),
            _ => NullDevice::new(NullOptions::default().checked()),
        }
    }

    fn shards(self) -> u32 {
        match self {
            Self::Stitched => 0,
            Self::Secondaries { shards } | Self::Leases { shards } => shards,
        }
    }
}

/// Records some commands; now and then the recorder is dropped.
fn fill<R: Recorder>(mut recorder: R, random: &mut Random, finish: impl FnOnce(R)) {
    for step in 0..random.below(40) {
        // SAFETY: the device takes any command.
        unsafe { recorder.cmd_draw(3, 1, 0, step as u32) };
    }
    if random.below(100) == 0 {
        drop(recorder);
    } else {
        finish(recorder);
    }
}

/// Takes slots of passes as they come; now and then one is dropped, or its recorder.
fn work(passes: &mpsc::Receiver<Pass>, random: &mut Random, lanes: Lanes) {
    while let Ok(pass) = passes.recv_timeout(LONG) {
        while let Ok(slot) = pass.next_slot() {
            if random.below(100) == 0 {
                continue;
            }
            if matches!(lanes, Lanes::Leases { .. }) && random.below(2) == 0 {
                if let Ok(recorder) = slot.lease() {
                    fill(recorder, random, |recorder| _ = recorder.finish());
                }
            } else if let Ok(recorder) = slot.stream() {
                fill(recorder, random, |recorder| _ = recorder.finish());
            }
        }
    }
}

/// One service, from its start to its end after some frames, whose tickets come back.
fn round(seed: u64, lanes: Lanes) {
    let null = lanes.device();
    let mut random = Random(seed);
    let mut service = service(&null, |options| {
        options.block_bytes = 4096;
        options.max_block_bytes = 64 * 4096;
        options.frames_in_flight = 1 + random.below(4) as u32;
        options.shards = lanes.shards();
    });
    let chain = swapchain(&mut service, &null, (64, 64));
    let mut tickets: Vec<Ticket> = Vec::new();
    let mut began = Instant::now();
    let mut report = None;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (send, receive) = mpsc::channel::<Pass>();
                let mut random = Random(seed ^ (worker + 1) << 32);
                scope.spawn(move || work(&receive, &mut random, lanes));
                send
            })
            .collect();
        for _ in 0..random.below(20) {
            let image = match random.below(4) {
                0 => acquire(&chain).ok(),
                1 => {
                    drop(chain.acquire(LONG));
                    None
                }
                _ => None,
            };
            let Ok(mut frame) = service.begin_frame_timeout(LONG) else {
                break;
            };
            for _ in 0..=random.below(2) {
                let slots = 1 + random.below(6) as u32;
                let pass = match lanes {
                    Lanes::Stitched => frame.outside(slots),
                    _ => frame.outside_secondaries(slots),
                };
                let pass = pass.expect("room");
                for worker in &workers {
                    let _ = worker.send(pass.clone());
                }
            }
            if random.below(10) == 0 {
                continue;
            }
            let options = match image {
                Some(image) => {
                    SubmitOptions::default().present(image, vk::PipelineStageFlags2::ALL_COMMANDS)
                }
                None => SubmitOptions::default(),
            };
            tickets.push(frame.submit(options));
        }
        // Any moment: the workers, the owners and the device are somewhere.
        (0..random.below(2000)).for_each(|_| std::hint::spin_loop());
        began = Instant::now();
        report = Some(service.shutdown(LONG));
    });
    let report = report.expect("it has ended");
    assert!(began.elapsed() < LONG, "{seed}: {:?}", began.elapsed());
    // What is counted as left by a lease that is out goes with it.
    let leased = matches!(lanes, Lanes::Leases { .. });
    assert!(report.leaked == 0 || leased, "{lanes:?} {seed}: {report:?}");
    assert!(!report.panicked, "{lanes:?} {seed}");
    for ticket in &mut tickets {
        let told = ticket.wait_timeout(Duration::ZERO);
        assert_ne!(told.err(), Some(TicketError::TimedOut), "{seed}");
    }
    drop(chain);
    let left = null.live();
    if report.leaked == 0 {
        assert_eq!(left, Live::default(), "{lanes:?} {seed}");
    }
    // The timeline may be left.
    let gone = (left.pools, left.buffers, left.swapchains);
    assert_eq!(gone, (0, 0, 0), "{lanes:?} {seed}");
    assert!(left.semaphores <= 1, "{lanes:?} {seed}");
    assert_eq!(null.violations(), [], "{lanes:?} {seed}");
    // The queue is free for another.
    null.hand_over();
    let mut fresh = support::service(&null, |_| ());
    run(&mut fresh).expect("executed");
    assert_eq!(fresh.shutdown(LONG).leaked, 0);
    assert_eq!(null.live(), left, "{lanes:?} {seed}");
    assert_eq!(null.violations(), [], "{lanes:?} {seed}");
}

#[test]
fn at_any_moment() {
    (0..rounds()).for_each(|seed| round(seed, Lanes::Stitched));
}

#[test]
fn at_any_moment_with_secondaries() {
    (0..rounds()).for_each(|seed| round(seed, Lanes::Secondaries { shards: 0 }));
}

#[test]
fn at_any_moment_with_shards() {
    (0..rounds()).for_each(|seed| round(seed, Lanes::Secondaries { shards: 2 }));
}

#[test]
fn at_any_moment_with_leases() {
    for seed in 0..rounds() {
        let shards = 2 * (seed % 2) as u32;
        round(seed, Lanes::Leases { shards });
    }
}

/// The longest deadline that there is bounds nothing, and breaks nothing.
#[test]
fn with_the_longest_deadline() {
    for (shards, driven_by_users) in [(0, false), (0, true), (2, true)] {
        let null = NullDevice::new(NullOptions::default().checked());
        let mut service = service(&null, |options| {
            options.shards = shards;
            options.driven_by_users = driven_by_users;
        });
        run(&mut service).expect("executed");
        let report = service.shutdown(Duration::MAX);
        assert_eq!((report.leaked, report.panicked), (0, false));
        assert_eq!(null.live(), Live::default());
    }
}
