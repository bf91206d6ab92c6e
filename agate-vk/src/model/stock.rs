//! Leases that end while the service does: every pool is destroyed, by the owner or by the job that put it back, and what
//! the owner leaves to a job it has counted.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use null_device::{NullDevice, NullOptions};

use super::check;
use crate::raw::Device;
use crate::status::Status;
use crate::stock::Stock;
use crate::turnstile::Fault;
use ash::vk;

/// Jobs, and the end of the service, on a stock of a pool for each of them.
fn ends(
    preemptions: usize,
    jobs: usize,
    fault: Option<Fault>,
    job: fn(&Stock, &Device, &AtomicBool),
) {
    let null = NullDevice::new(NullOptions::default());
    // SAFETY: the functions are those of the device, which outlives the model.
    let device = unsafe { Device::load(null.handle(), |name| null.function(name)) };
    let device = std::sync::Arc::new(device.expect("all functions are there"));
    check(preemptions, move || {
        let status = std::sync::Arc::new(Status::new(vk::Semaphore::null(), None));
        let mut stock = Stock::new(jobs, 0, status).unwrap();
        stock.state.fault = fault;
        let stock = Arc::new(stock);
        let closed = Arc::new(AtomicBool::new(false));
        let jobs: Vec<_> = (0..jobs)
            .map(|_| {
                let (stock, device, closed) =
                    (Arc::clone(&stock), device.clone(), Arc::clone(&closed));
                thread::spawn(move || job(&stock, &device, &closed))
            })
            .collect();
        closed.store(true, Ordering::Release);
        let (leaked, out) = stock.close(&device, true);
        assert_eq!(leaked, 0);
        let left = null.live().pools;
        assert!(left <= out as usize, "{left} pools are left, {out} counted");
        jobs.into_iter().for_each(|job| job.join().unwrap());
        assert_eq!(null.live().pools, 0, "a pool is left");
    });
}

fn lends(stock: &Stock, device: &Device, _: &AtomicBool) {
    // Refused where the stock was closed before: its block went back.
    drop(stock.lend(device, 1));
    stock.sweep(device);
}

#[test]
fn a_pool_that_comes_back_beside_the_end_is_destroyed() {
    ends(3, 1, None, lends);
}

#[test]
fn two_pools_that_come_back_beside_the_end_are_destroyed() {
    ends(1, 2, None, lends);
}

/// The mutants.
mod mutants {
    use super::{Fault, Ordering, ends, lends};

    #[test]
    #[should_panic(expected = "is left")]
    fn a_job_that_only_loads_misses_the_end() {
        ends(3, 1, Some(Fault::Loads), lends);
    }

    /// The steps the other way round.
    #[test]
    #[should_panic(expected = "is left")]
    fn a_job_that_looks_before_it_puts_back_misses_the_end() {
        ends(3, 1, None, |stock, device, _| {
            let lease = stock.lend(device, 1);
            stock.sweep(device);
            drop(lease);
        });
    }

    /// Who asks whether the owner is closed, instead of passing.
    #[test]
    #[should_panic(expected = "is left")]
    fn a_job_that_asks_another_word_misses_the_end() {
        ends(3, 1, None, |stock, device, closed| {
            drop(stock.lend(device, 1));
            if closed.load(Ordering::Acquire) {
                stock.sweep(device);
            }
        });
    }
}
