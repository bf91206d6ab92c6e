//! Ends the bench when a candidate hangs: a message that is lost must not be waited for until somebody looks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that one run of one candidate may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Knows which candidate runs, and since when.
#[derive(Clone, Debug)]
pub struct Watch {
    running: Arc<Mutex<Option<(String, Instant)>>>,
}

impl Watch {
    /// Starts a thread that ends the process with a line should a candidate run for more than a minute.
    pub fn start() -> Self {
        let watch = Self {
            running: Arc::default(),
        };
        let running = Arc::downgrade(&watch.running);
        std::thread::spawn(move || {
            while let Some(running) = running.upgrade() {
                let since = running
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some((name, since)) = since
                    && since.elapsed() > LONGEST
                {
                    eprintln!(
                        "{name}: no end after {LONGEST:?}, so messages were lost or nobody was woken"
                    );
                    std::process::exit(3);
                }
                drop(running);
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        watch
    }

    /// Runs a candidate under watch.
    pub fn over<M>(&self, name: &str, run: impl FnOnce() -> M) -> M {
        self.set(Some((name.to_owned(), Instant::now())));
        let measured = run();
        self.set(None);
        measured
    }

    fn set(&self, running: Option<(String, Instant)>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }
}
