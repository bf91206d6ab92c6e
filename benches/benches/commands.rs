//! Recording a frame's commands in all the ways that people do it, on three devices, with the naive ways and the limits in
//! the same tables. `cargo bench -p benches --bench commands -- --help` lists the options.

use std::process::ExitCode;
use std::sync::Arc;

use benches::allocations::Counting;
use benches::commands::device::{Device, Kind};
use benches::commands::options::{self, Options};
use benches::commands::run::measure;
use benches::commands::strategy::Way;
use benches::commands::work::{Order, Work};
use benches::commands::{claims, encode, report};
use benches::machine;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("commands: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    if options.help {
        print!("{}", options::HELP);
        return Ok(());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{}\n{} rounds of each candidate, in turns; medians (quartiles); a draw is four vkCmd*; {} jobs on {threads} threads.\n",
        machine::describe(),
        options.rounds,
        options.jobs
    );
    let series = encode::measure(options.rounds);
    println!("Encoding\n\n{}", report::encoding(&series));
    for eliminate in [false, true] {
        println!("{}", sides(eliminate));
        let goals = report::encoding_goals(&series, eliminate);
        println!("{}", report::verdicts(&goals));
    }
    if options.encoding_alone {
        return Ok(());
    }
    let mut missing = Vec::new();
    for kind in &options.devices {
        let device = match Device::open(*kind) {
            Ok(device) => Arc::new(device),
            Err(why) => {
                println!("Device: {} is not there: {why}\n", kind.name());
                missing.push(kind.name());
                continue;
            }
        };
        println!("Device: {} ({})\n", kind.name(), device.name);
        for draws in &options.draws {
            of_size(options, &device, *draws, threads)?;
        }
        if *kind == Kind::Software {
            until_executed(options, &device)?;
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "without {} (Debian: apt install libvulkan1 mesa-vulkan-drivers)",
            missing.join(", ")
        ))
    }
}

/// Frames that are executed: what the owner's delay is beside that.
fn until_executed(options: &Options, device: &Arc<Device>) -> Result<(), String> {
    let work = Work {
        execute: true,
        ..work(options, 10_000, Order::Forward, false)
    };
    let ways = [
        Way::Single,
        Way::PerThread,
        Way::MutexPerJob,
        Way::MutexPerCommand,
        Way::Agate,
        Way::Sharded,
        Way::Lease,
    ];
    let rows = measure(device, &work, options.rounds, &ways)?;
    println!(
        "{}: 10,000 draws, executed\n\n{}",
        device.kind.name(),
        report::executed(&rows)
    );
    println!("{}", claims::executed(&rows));
    Ok(())
}

/// The time of one draw's calls, in frames of their own: reading the clock for each draw disturbs everything else.
fn each_draw(
    options: &Options,
    device: &Arc<Device>,
    draws: usize,
    order: Order,
) -> Result<(), String> {
    const WAYS: [Way; 10] = [
        Way::Single,
        Way::PerThread,
        Way::MutexPerJob,
        Way::MutexPerCommand,
        Way::Agate,
        Way::AgateFused,
        Way::Sharded,
        Way::Lease,
        Way::Boxed,
        Way::ByValue,
    ];
    let work = work(options, draws, order, true);
    let rows = measure(device, &work, options.rounds, &WAYS)?;
    println!(
        "{}: {draws} draws, slots finished {}, each draw timed\n\n{}",
        device.kind.name(),
        slots(order),
        report::latencies(&rows)
    );
    if order == Order::Forward && device.kind != Kind::Null {
        for eliminate in [false, true] {
            println!("{}", sides(eliminate));
            let goals = report::latency_goals(&rows, eliminate);
            println!("{}", report::verdicts(&goals));
        }
    }
    Ok(())
}

/// What both sides of the goals that follow do.
fn sides(eliminate: bool) -> &'static str {
    if eliminate {
        "Redundant state left out, on both sides:\n"
    } else {
        "All calls made, on both sides:\n"
    }
}

fn slots(order: Order) -> &'static str {
    match order {
        Order::Forward => "in order",
        Order::Reverse => "in reverse",
    }
}

fn of_size(
    options: &Options,
    device: &Arc<Device>,
    draws: usize,
    threads: usize,
) -> Result<(), String> {
    for order in [Order::Forward, Order::Reverse] {
        let work = work(options, draws, order, false);
        let rows = measure(device, &work, options.rounds, &Way::ALL)?;
        let (name, slots) = (device.kind.name(), slots(order));
        println!(
            "{name}: {draws} draws, slots finished {slots}\n\n{}",
            report::frames(&rows, threads)
        );
        // A driver that costs nothing leaves nothing to save: it isolates the overhead, and the goals are not for it.
        if order == Order::Forward {
            for eliminate in [false, true] {
                let goals = report::frame_goals(&rows, device.kind == Kind::Software, eliminate);
                if device.kind != Kind::Null {
                    println!("{}", sides(eliminate));
                    println!("{}", report::verdicts(&goals));
                }
            }
            println!("{}", claims::table(&rows));
        }
        each_draw(options, device, draws, order)?;
    }
    Ok(())
}

fn work(options: &Options, draws: usize, order: Order, each_draw: bool) -> Work {
    Work {
        draws,
        jobs: options.jobs.min(draws),
        order,
        eliminate: false,
        execute: false,
        each_draw,
    }
}
