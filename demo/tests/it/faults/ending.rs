//! How a run ended, which it has to do before a deadline.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::support::{DEADLINE, Folder};

/// A demo that runs, and does not outlive its test.
pub(super) struct Running {
    demo: Child,
    said: Folder,
    line: String,
}

/// What a demo that has ended leaves.
pub(super) struct Ending {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
    line: String,
}

/// Runs the demo to its end.
pub(super) fn end(command: &mut Command) -> Ending {
    start(command).end()
}

/// Starts the demo.
pub(super) fn start(command: &mut Command) -> Running {
    let said = Folder::new();
    let file = |name: &str| File::create(said.path().join(name)).expect("a file for what it says");
    // Whoever wants a backtrace asks for more than one line.
    command.env_remove("RUST_BACKTRACE");
    let (out, err) = (file("out"), file("err"));
    let demo = command.stdout(out).stderr(err).spawn();
    let arguments: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let variables: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())))
        .collect();
    Running {
        demo: demo.expect("the demo starts"),
        said,
        line: format!("{} demo {}", variables.join(" "), arguments.join(" ")),
    }
}

impl Running {
    /// Asks `question` again until it is answered, as long as the demo lives.
    pub(super) fn until<T>(&mut self, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = question() {
                return answer;
            }
            let ended = self.demo.try_wait().expect("the demo's state");
            let said = || fs::read_to_string(self.said.path().join("err"));
            assert!(
                ended.is_none(),
                "{}: ended before {what}: {:?}",
                self.line,
                said()
            );
            assert!(
                begin.elapsed() < DEADLINE,
                "{}: {what} did not come",
                self.line
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has ended, which may take a tenth of the deadline.
    pub(super) fn end(mut self) -> Ending {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.demo.try_wait().expect("the demo's state") {
                break status;
            }
            assert!(begin.elapsed() < DEADLINE, "{}: it hangs", self.line);
            std::thread::sleep(Duration::from_millis(2));
        };
        let said = |name| String::from_utf8_lossy(&self.said.read(name)).into_owned();
        let ending = Ending {
            code: status.code(),
            out: said("out"),
            err: said("err"),
            line: self.line.clone(),
        };
        ending.no_panic();
        ending
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.demo.kill();
        let _ = self.demo.wait();
    }
}

impl Ending {
    /// It ended with this code and one line, which has this part.
    #[track_caller]
    pub(super) fn failed(&self, code: i32, part: &str) {
        let Self { err, line, .. } = self;
        assert_eq!(self.code, Some(code), "{line}: {err}");
        assert_eq!(err.lines().count(), 1, "{line}: {err}");
        assert!(err.starts_with("demo: "), "{line}: {err}");
        assert!(err.contains(part), "{line}: {part:?} is not in {err}");
    }

    /// It ended well, and had nothing to complain about.
    #[track_caller]
    pub(super) fn well(&self) {
        let Self { err, line, .. } = self;
        assert_eq!((self.code, err.as_str()), (Some(0), ""), "{line}");
    }

    /// The command line, for messages.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    fn no_panic(&self) {
        for text in [&self.out, &self.err] {
            for word in ["panicked at", "RUST_BACKTRACE", "a fault in the program"] {
                assert!(!text.contains(word), "{}: {text}", self.line);
            }
        }
    }
}
