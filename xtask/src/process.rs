//! Running a command to its end: output line by line, a time limit, and no process left behind.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(50);
/// How long the output may go on after the command has ended.
const REST: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    /// It was still running at the limit and was killed, with all that it had started.
    TimedOut,
}

/// The code that a command ended with, as our own; 1 where a signal ended it.
pub(crate) fn exit_code(code: Option<i32>) -> ExitCode {
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Runs `command`, gives every line of its output (errors among it, in order) to `on_line`, and kills it at `limit`.
///
/// # Errors
///
/// When the command cannot be started.
pub(crate) fn run(
    command: &Command,
    limit: Duration,
    mut on_line: impl FnMut(&str),
) -> io::Result<End> {
    let mut child = group::spawn(command)?;
    let group = group::Guard::new(&child);
    let lines = read_lines(child.stdout.take());
    let deadline = Instant::now() + limit;
    let end = loop {
        next_line(&lines, &mut on_line);
        if let Some(status) = child.try_wait()? {
            break End::Exited(status);
        }
        if Instant::now() >= deadline {
            break End::TimedOut;
        }
    };
    group?.kill();
    if end == End::TimedOut {
        // On a system without process groups this alone ends the command.
        let _already_dead = child.kill();
        child.wait()?;
    }
    let rest = Instant::now() + REST;
    while Instant::now() < rest && next_line(&lines, &mut on_line) {}
    Ok(end)
}

/// A command that runs until this is dropped, and whose output nobody sees.
pub(crate) struct Background {
    child: Child,
    group: Option<group::Guard>,
}

impl Background {
    /// # Errors
    ///
    /// When the command cannot be started.
    pub(crate) fn start(command: &Command) -> io::Result<Self> {
        let mut child = group::spawn(command)?;
        match group::Guard::new(&child) {
            Ok(group) => Ok(Self {
                child,
                group: Some(group),
            }),
            Err(error) => {
                let _already_dead = child.kill();
                Err(error)
            }
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.group.take().into_iter().for_each(group::Guard::kill);
        let _already_dead = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Hands on one line, or waits a moment; false when no more will come.
fn next_line(lines: &Receiver<String>, on_line: &mut impl FnMut(&str)) -> bool {
    match lines.recv_timeout(POLL) {
        Ok(line) => {
            on_line(&line);
            true
        }
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => {
            thread::sleep(POLL);
            false
        }
    }
}

/// Reads on a thread of its own, which ends when the last process that holds the pipe does.
fn read_lines(output: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let Some(output) = output else {
        return receiver;
    };
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(unix)]
mod group {
    //! Process groups: what a command starts dies with it, also when this program is killed.

    use super::{Child, Command, Stdio, io};
    use std::os::unix::process::CommandExt;

    /// Starts the command in a group of its own, with its errors in the same stream as its output.
    pub(super) fn spawn(command: &Command) -> io::Result<Child> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec \"$0\" \"$@\" 2>&1"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    /// A process that kills the group as soon as the pipe from this program closes: by [`kill`](Self::kill), or
    /// because this program was itself interrupted or killed.
    pub(super) struct Guard(Child);

    impl Guard {
        pub(super) fn new(leader: &Child) -> io::Result<Self> {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "read -r _; kill -9 -\"$0\""])
                .arg(leader.id().to_string());
            shell
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            shell.process_group(0).spawn().map(Self)
        }

        /// Kills what is left of the group.
        pub(super) fn kill(mut self) {
            drop(self.0.stdin.take());
            let _no_such_group = self.0.wait();
        }
    }
}

#[cfg(not(unix))]
mod group {
    //! Without process groups: the command's own process is all that can be ended.

    use super::{Child, Command, Stdio, io};

    /// Starts the command; its errors go straight to the terminal.
    pub(super) fn spawn(command: &Command) -> io::Result<Child> {
        let mut copy = Command::new(command.get_program());
        copy.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => copy.env(name, value),
                None => copy.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            copy.current_dir(folder);
        }
        copy.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }

    pub(super) struct Guard;

    impl Guard {
        pub(super) fn new(_leader: &Child) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn kill(self) {}
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Background, Command, Duration, End, Instant, run, thread};

    /// Far beyond what any of these commands takes.
    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn lines(script: &str, limit: Duration) -> (End, Vec<String>) {
        let mut lines = Vec::new();
        let end = run(&shell(script), limit, |line| lines.push(line.to_owned())).unwrap();
        (end, lines)
    }

    #[test]
    fn output_and_errors_come_in_order() {
        let (end, lines) = lines("echo one; echo two >&2; printf three", LONG);
        assert!(matches!(end, End::Exited(status) if status.success()));
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn the_exit_code_and_the_environment_arrive() {
        let mut command = shell("exit $CODE");
        command.env("CODE", "7");
        let end = run(&command, LONG, |_| ()).unwrap();
        assert!(matches!(end, End::Exited(status) if status.code() == Some(7)));
    }

    #[test]
    fn at_the_limit_the_whole_group_dies() {
        let (end, lines) = lines("sleep 1000 & echo $!; wait", Duration::from_secs(2));
        assert_eq!(end, End::TimedOut);
        assert!(dies(&lines[0]), "the sleeper outlived its group");
    }

    #[test]
    fn what_a_command_leaves_running_dies_with_it() {
        let (end, lines) = lines("sleep 1000 & echo $!", LONG);
        assert!(matches!(end, End::Exited(status) if status.success()));
        assert!(dies(&lines[0]), "the sleeper outlived its parent");
    }

    #[test]
    fn what_runs_in_the_background_ends_when_it_is_dropped() {
        let file = std::env::temp_dir().join(format!("agate-background-{}", std::process::id()));
        let script = format!(
            "echo $$ >{0}.new; mv {0}.new {0}; sleep 1000",
            file.display()
        );
        let background = Background::start(&shell(&script)).unwrap();
        let deadline = Instant::now() + LONG;
        let pid = loop {
            match std::fs::read_to_string(&file) {
                Ok(pid) => break pid.trim().to_owned(),
                Err(_) => assert!(Instant::now() < deadline, "it did not start"),
            }
            thread::yield_now();
        };
        drop(background);
        std::fs::remove_file(file).unwrap();
        assert!(dies(&pid), "it outlived its owner");
    }

    /// A killed process takes a moment to go; one that nobody has waited for stays as a zombie.
    fn dies(pid: &str) -> bool {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            let state = state_of(pid);
            if state.is_empty() || state.starts_with('Z') {
                return true;
            }
            thread::yield_now();
        }
        false
    }

    fn state_of(pid: &str) -> String {
        let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
        let from_ps =
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        from_ps.unwrap_or_else(|_| state_in_proc(pid))
    }

    fn state_in_proc(pid: &str) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    #[test]
    fn a_command_that_is_not_there_fails() {
        let end = run(&Command::new("agate-no-such-program"), LONG, |_| ()).unwrap();
        assert!(matches!(end, End::Exited(status) if !status.success()));
    }
}
