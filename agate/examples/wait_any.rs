//! One thread that waits for several things at once: orders, lines of text, and the word to stop.

use std::error::Error;
use std::thread;
use std::time::Duration;

use agate::{
    BlockOptions, BlockPool, Capacity, Limits, Local, Scope, StreamError, WaitAnyError, wait_any,
};

const ORDERS: u32 = 1_000;
const LINES: usize = 200;
const LONG: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let orders = Local.queue::<u32>(Limits::senders(1), Capacity::bounded(16))?;
    let pool = BlockPool::new(BlockOptions {
        block_bytes: 4096,
        max_blocks: 4,
    })?;
    let lines = Local.stream(Limits::senders(1), &pool);
    let mut orders_in = orders.attach_receiver()?;
    let mut lines_in = lines.attach_receiver()?;
    let (stop, mut stopped) = agate::completion::<&str>();

    // Nothing is there yet, and nothing comes.
    let soon = Duration::from_millis(1);
    let found = wait_any(&mut [&mut orders_in, &mut lines_in, &mut stopped], soon);
    assert_eq!(found, Err(WaitAnyError::TimedOut));

    let order_out = orders.attach_sender()?;
    let mut line_out = lines.attach_sender()?;
    let ordering = thread::spawn(move || {
        (1..=ORDERS).try_for_each(|n| order_out.wait_send(n))?;
        Ok::<_, agate::SendTimeoutError<u32>>(order_out) // kept: a queue whose senders are gone is always ready
    });
    let writing = thread::spawn(move || {
        for n in 0..LINES {
            line_out.try_send(format!("line {n}").as_bytes())?;
        }
        line_out.flush().map_err(|_| StreamError::Closed)?;
        Ok::<_, StreamError>(line_out)
    });
    let stopping = thread::spawn(move || {
        let kept = (ordering.join(), writing.join());
        stop.resolve("that was all");
        kept
    });

    let (mut sum, mut line_count) = (0, 0);
    let said = loop {
        // It says what is ready and takes nothing; which one comes first changes, so that none starves.
        match wait_any(&mut [&mut orders_in, &mut lines_in, &mut stopped], LONG)? {
            0 => sum += orders_in.drain().sum::<u32>(),
            1 => {
                while let Ok(line) = lines_in.try_recv() {
                    assert_eq!(line, format!("line {line_count}").as_bytes());
                    line_count += 1;
                }
            }
            _ => break stopped.poll().expect("it is ready")?,
        }
    };
    // What was sent before the word to stop was given is there, and received now if not before.
    sum += orders_in.drain().sum::<u32>();
    while lines_in.try_recv().is_ok() {
        line_count += 1;
    }
    assert_eq!((sum, line_count), (ORDERS * (ORDERS + 1) / 2, LINES));
    let (ordered, written) = stopping.join().expect("nobody panics");
    assert!(matches!((ordered, written), (Ok(Ok(_)), Ok(Ok(_)))));
    println!("{ORDERS} orders and {LINES} lines by one thread, until it was told {said:?}");
    Ok(())
}
