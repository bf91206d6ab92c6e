//! Programs that do not outlive their test: servers, and the demo, which has to end before a deadline.

use std::fs::{self, File};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::{DEADLINE, Folder};

/// Asks `question` again until it is answered; between two questions it lets others run.
pub(crate) fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(begin.elapsed() < DEADLINE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that serves a test.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it, without input or complaints.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|why| panic!("{command:?}: {why}")))
    }

    /// What it says, if that is piped.
    pub(crate) fn said(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("its output")
    }

    /// Ends it without a chance to say goodbye.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A demo that runs.
pub(crate) struct Running {
    demo: Child,
    said: Folder,
    line: String,
}

/// What a demo that has ended leaves.
pub(crate) struct Ending {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    line: String,
}

/// Runs the demo to its end.
pub(crate) fn end(command: &mut Command) -> Ending {
    start(command).end()
}

/// Starts the demo.
pub(crate) fn start(command: &mut Command) -> Running {
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
    pub(crate) fn until<T>(&mut self, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
        until(&format!("{}: {what}", self.line), || {
            let answer = question();
            if answer.is_none() {
                self.lives_until(what);
            }
            answer
        })
    }

    /// Fails if the demo has ended, which it should not before `what`.
    pub(crate) fn lives_until(&mut self, what: &str) {
        if self.has_ended() {
            let said = fs::read_to_string(self.said.path().join("err"));
            panic!("{}: ended before {what}: {said:?}", self.line);
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.demo.try_wait().expect("the demo's state").is_some()
    }

    /// Waits until it has ended, which may take a tenth of the deadline.
    pub(crate) fn end(mut self) -> Ending {
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
            line: match status.code() {
                Some(_) => self.line.clone(),
                // A signal has ended it.
                None => format!("{}, {status}", self.line),
            },
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
    pub(crate) fn failed(&self, code: i32, part: &str) {
        let Self { err, line, .. } = self;
        assert_eq!(self.code, Some(code), "{line}: {err}");
        assert_eq!(err.lines().count(), 1, "{line}: {err}");
        assert!(err.starts_with("demo: "), "{line}: {err}");
        assert!(err.contains(part), "{line}: {part:?} is not in {err}");
    }

    /// It ended well, and had nothing to complain about.
    #[track_caller]
    pub(crate) fn well(&self) {
        let Self { err, line, .. } = self;
        assert_eq!((self.code, err.as_str()), (Some(0), ""), "{line}");
    }

    /// The command line, for messages.
    pub(crate) fn line(&self) -> &str {
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
