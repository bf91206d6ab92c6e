//! The same frames as in `commands`, under criterion: tells whether this tree is slower than the one before.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use benches::commands::device::{Device, Kind};
use benches::commands::frame::Stage;
use benches::commands::strategy::Way;
use benches::commands::work::{Jobs, Matrices, Order, Work};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn frames(criterion: &mut Criterion) {
    for kind in [Kind::Null, Kind::Simulated] {
        let device = Arc::new(Device::open(kind).expect("needs no driver"));
        let mut stage = Stage {
            device: Arc::clone(&device),
            jobs: Jobs::new().expect("threads"),
            matrices: Matrices::default(),
        };
        let mut group = criterion.benchmark_group(format!("frame, {}", kind.name()));
        for draws in [1_000, 10_000] {
            let work = Work {
                draws,
                jobs: 32,
                order: Order::Forward,
                eliminate: false,
                execute: false,
                each_draw: false,
            };
            stage.jobs.prepare(&work);
            group.throughput(Throughput::Elements(draws as u64));
            for way in [
                Way::Single,
                Way::PerThread,
                Way::MutexPerCommand,
                Way::Agate,
            ] {
                let strategy = RefCell::new(way.make(&device, stage.jobs.threads()));
                let id = BenchmarkId::new(way.name(), draws);
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|count| {
                        let frame = |_| strategy.borrow_mut().frame(&stage, &work).wall_ns;
                        let all: f64 = (0..count).map(frame).sum();
                        Duration::from_nanos(all as u64)
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, frames);
criterion_main!(benches);
