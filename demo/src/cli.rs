//! The command line: flags in, options out, and one line for whatever is not understood.

use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
A disc of agate stones, each a draw call of its own, recorded by parallel jobs.

Usage: demo [FLAGS]

  --headless            draw without a window (120 frames unless --frames says otherwise)
  --frames N            stop after N frames
  --screenshot FILE     write the last frame as PNG
  --size WxH            size of the picture in pixels
  --draws N|auto        stones, each one draw call; auto (the default) takes 300 on a CPU device, 10000 on a GPU
  --jobs N              recording jobs per frame (default: 4 for each processor)
  --strategy S          agate, per-thread, mutex, single, mutex-per-command, agate-shards or agate-lease
                        (default: agate)
  --no-execute          record and end every frame, but submit none: times recording alone; needs --headless
  --render-pass         classic VkRenderPass instead of dynamic rendering
  --validation          turn the Khronos layer on, count its messages, exit 3 if there is one
  --gpu N|NAME          use device number N, or the first whose name contains NAME
  --list-gpus           list the devices and exit
  --time-step S         seconds between frames, for pictures that can be repeated (default: the clock)
  --seed N              another arrangement of stones (default: 7)
  --json FILE           write the numbers of the exit table as JSON
  --doctor              show what the machine has and lacks, and the command that installs it
  --help                this text

Keys: drag orbits, wheel zooms, space pauses, F12 writes a screenshot, 1 agate, 2 per-thread, 3 mutex, 4 single,
      5 mutex-per-command, 6 agate-shards, 7 agate-lease, Esc quits.
Exit codes: 0 well, 1 the machine or the run failed, 2 wrong flags, 3 the validation layer spoke or agate blocked a job.
";

/// One way to record a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrategyName {
    /// Jobs send encoded commands to the owner of the one pool.
    Agate,
    /// A pool for each job thread.
    PerThread,
    /// One pool behind a mutex that a job holds while it records.
    Mutex,
    /// One thread records everything.
    Single,
    /// One pool behind a mutex that a job locks for each command.
    MutexPerCommand,
    /// Jobs encode commands; at its end each replays its own with the pool of an owner that nobody is busy with.
    AgateShards,
    /// Jobs record into pools that the owner lends to them.
    AgateLease,
}

impl StrategyName {
    /// All strategies, in the order of the keys 1 to 7.
    pub const ALL: [Self; 7] = [
        Self::Agate,
        Self::PerThread,
        Self::Mutex,
        Self::Single,
        Self::MutexPerCommand,
        Self::AgateShards,
        Self::AgateLease,
    ];

    /// The name on the command line and in the reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agate => "agate",
            Self::PerThread => "per-thread",
            Self::Mutex => "mutex",
            Self::Single => "single",
            Self::MutexPerCommand => "mutex-per-command",
            Self::AgateShards => "agate-shards",
            Self::AgateLease => "agate-lease",
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Draw without a window.
    pub headless: bool,
    /// Stop after this many frames.
    pub frames: Option<u64>,
    /// Where the last frame goes.
    pub screenshot: Option<PathBuf>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Stones; `None` is `auto`.
    pub draws: Option<usize>,
    /// Jobs per frame.
    pub jobs: Option<usize>,
    /// How frames are recorded at first.
    pub strategy: StrategyName,
    /// Record frames, but submit none.
    pub no_execute: bool,
    /// Classic render passes.
    pub render_pass: bool,
    /// Run under the validation layer.
    pub validation: bool,
    /// Device number or part of its name.
    pub gpu: Option<String>,
    /// List devices and exit.
    pub list_gpus: bool,
    /// Seconds between frames.
    pub time_step: Option<f32>,
    /// Arrangement of the stones.
    pub seed: u64,
    /// Where the numbers go.
    pub json: Option<PathBuf>,
    /// Show the state of the machine and exit.
    pub doctor: bool,
    /// Print the help and exit.
    pub help: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            headless: false,
            frames: None,
            screenshot: None,
            size: None,
            draws: None,
            jobs: None,
            strategy: StrategyName::Agate,
            no_execute: false,
            render_pass: false,
            validation: false,
            gpu: None,
            list_gpus: false,
            time_step: None,
            seed: 7,
            json: None,
            doctor: false,
            help: false,
        }
    }
}

/// A flag or a value that is not understood; it displays as the one line to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Reads the arguments that follow the program's name.
///
/// A value may follow its flag as the next argument or after `=`. The last of two equal flags counts.
///
/// # Errors
///
/// The first flag or value that is not understood, with the nearest one that would be.
///
/// # Examples
///
/// ```
/// let options = demo::cli::parse(["--draws", "500", "--size=640x360"].map(String::from)).unwrap();
/// assert_eq!(options.draws, Some(500));
/// assert_eq!(options.size, Some((640, 360)));
/// let wrong = demo::cli::parse(["--headles"].map(String::from)).unwrap_err();
/// assert_eq!(wrong.to_string(), "unknown flag --headles; did you mean --headless? (--help lists all)");
/// ```
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options, UsageError> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        if set_switch(&mut options, flag) {
            match inline {
                Some(value) => {
                    return Err(UsageError(format!(
                        "{flag} takes no value, but {value:?} was given"
                    )));
                }
                None => continue,
            }
        }
        if !VALUED.contains(&flag) {
            return Err(unknown_flag(flag));
        }
        let value = inline.or_else(|| arguments.next());
        let value =
            value.ok_or_else(|| UsageError(format!("{flag} needs a value: {}", shape(flag))))?;
        set_value(&mut options, flag, &value)?;
    }
    check(&options)?;
    Ok(options)
}

/// Flags that cannot stand together, unless the run will draw nothing anyway.
fn check(options: &Options) -> Result<(), UsageError> {
    let draws = !(options.help || options.doctor || options.list_gpus);
    if !(draws && options.no_execute) {
        return Ok(());
    }
    let wrong = if options.screenshot.is_some() {
        "--no-execute draws no picture that --screenshot could write: leave one of them out"
    } else if !options.headless {
        "--no-execute has nothing to show in a window: add --headless"
    } else {
        return Ok(());
    };
    Err(UsageError(wrong.into()))
}

const SWITCHES: [&str; 7] = [
    "--headless",
    "--no-execute",
    "--validation",
    "--list-gpus",
    "--render-pass",
    "--doctor",
    "--help",
];
const VALUED: [&str; 10] = [
    "--frames",
    "--screenshot",
    "--size",
    "--draws",
    "--jobs",
    "--strategy",
    "--gpu",
    "--time-step",
    "--seed",
    "--json",
];

/// Largest number of stones and of jobs: far above use, far below overflow.
const DRAWS_MAX: usize = 1_000_000;
const JOBS_MAX: usize = 4096;
/// Vulkan guarantees images of 4096; devices that do more are common, so the device decides above that.
const SIDE_MAX: u32 = 65536;

fn set_switch(options: &mut Options, flag: &str) -> bool {
    let switch = match flag {
        "--headless" => &mut options.headless,
        "--no-execute" => &mut options.no_execute,
        "--validation" => &mut options.validation,
        "--list-gpus" => &mut options.list_gpus,
        "--render-pass" => &mut options.render_pass,
        "--doctor" => &mut options.doctor,
        "--help" | "-h" => &mut options.help,
        _ => return false,
    };
    *switch = true;
    true
}

fn set_value(options: &mut Options, flag: &str, value: &str) -> Result<(), UsageError> {
    let wrong = || {
        UsageError(format!(
            "{flag} {value:?} is not understood: {}",
            shape(flag)
        ))
    };
    match flag {
        "--frames" => options.frames = Some(number(value, 1, u64::MAX).ok_or_else(wrong)?),
        "--screenshot" => options.screenshot = Some(path(value).ok_or_else(wrong)?),
        "--size" => options.size = Some(size(value).ok_or_else(wrong)?),
        "--draws" if value == "auto" => options.draws = None,
        "--draws" => options.draws = Some(number(value, 1, DRAWS_MAX).ok_or_else(wrong)?),
        "--jobs" => options.jobs = Some(number(value, 1, JOBS_MAX).ok_or_else(wrong)?),
        "--strategy" => options.strategy = strategy(value)?,
        "--gpu" => {
            options.gpu = Some(
                (!value.is_empty())
                    .then(|| value.to_owned())
                    .ok_or_else(wrong)?,
            );
        }
        "--time-step" => options.time_step = Some(seconds(value).ok_or_else(wrong)?),
        "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
        _ => options.json = Some(path(value).ok_or_else(wrong)?),
    }
    Ok(())
}

/// What a value of `flag` looks like.
fn shape(flag: &str) -> String {
    match flag {
        "--frames" => "a count of at least 1".into(),
        "--screenshot" | "--json" => "a file name".into(),
        "--size" => format!("WxH, as in 1280x720, each from 1 to {SIDE_MAX}"),
        "--draws" => format!("a count from 1 to {DRAWS_MAX}, or auto"),
        "--jobs" => format!("a count from 1 to {JOBS_MAX}"),
        "--strategy" => format!(
            "one of {}",
            StrategyName::ALL.map(StrategyName::name).join(", ")
        ),
        "--gpu" => "a number from --list-gpus or a part of a name".into(),
        "--time-step" => "seconds from 0 to 3600, as in 0.016".into(),
        _ => "a whole number of at least 0".into(),
    }
}

fn number<N: std::str::FromStr + PartialOrd>(value: &str, least: N, most: N) -> Option<N> {
    value
        .parse()
        .ok()
        .filter(|number| *number >= least && *number <= most)
}

fn path(value: &str) -> Option<PathBuf> {
    (!value.is_empty()).then(|| value.into())
}

fn size(value: &str) -> Option<(u32, u32)> {
    let (width, height) = value.split_once(['x', 'X'])?;
    Some((number(width, 1, SIDE_MAX)?, number(height, 1, SIDE_MAX)?))
}

fn seconds(value: &str) -> Option<f32> {
    number(value, 0.0_f32, 3600.0)
}

fn strategy(value: &str) -> Result<StrategyName, UsageError> {
    let found = StrategyName::ALL
        .into_iter()
        .find(|strategy| strategy.name() == value);
    found.ok_or_else(|| {
        let names = StrategyName::ALL.map(StrategyName::name);
        let hint =
            nearest(value, &names).map_or(String::new(), |name| format!("; did you mean {name}?"));
        UsageError(format!(
            "unknown strategy {value:?}{hint} (there are {})",
            names.join(", ")
        ))
    })
}

fn unknown_flag(flag: &str) -> UsageError {
    let all: Vec<&str> = SWITCHES.into_iter().chain(VALUED).collect();
    let kind = if flag.starts_with('-') {
        "unknown flag"
    } else {
        "unexpected argument"
    };
    let hint = nearest(flag, &all).map_or(String::new(), |name| format!("; did you mean {name}?"));
    // One line stays one line, whatever was typed.
    let flag = flag.escape_debug();
    UsageError(format!("{kind} {flag}{hint} (--help lists all)"))
}

/// The name that is the fewest edits away.
fn nearest<'a>(wrong: &str, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().min_by_key(|name| edits(wrong, name))
}

/// Insertions, deletions and replacements that turn one word into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..to.len() {
            let replace = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = replace.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(String::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_is_read() {
        let read = options(
            "--headless --frames 60 --screenshot a.png --size 640x360 --draws 5 --jobs 3 --strategy mutex --validation --no-execute \
             --gpu llvm --list-gpus --time-step 0.5 --seed 11 --json a.json --render-pass --doctor --help",
        );
        let expected = Options {
            headless: true,
            frames: Some(60),
            screenshot: Some("a.png".into()),
            size: Some((640, 360)),
            draws: Some(5),
            jobs: Some(3),
            strategy: StrategyName::Mutex,
            no_execute: true,
            render_pass: true,
            validation: true,
            gpu: Some("llvm".into()),
            list_gpus: true,
            time_step: Some(0.5),
            seed: 11,
            json: Some("a.json".into()),
            doctor: true,
            help: true,
        };
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn help_names_every_flag() {
        for flag in SWITCHES.into_iter().chain(VALUED) {
            assert!(HELP.contains(flag), "{flag}");
        }
    }

    #[test]
    fn auto_is_no_number_of_draws() {
        assert_eq!(
            options("--draws 9 --draws auto").map(|options| options.draws),
            Ok(None)
        );
    }

    #[test]
    fn each_strategy_has_its_key() {
        for (index, strategy) in StrategyName::ALL.into_iter().enumerate() {
            assert_eq!(strategy.index(), index);
            let read =
                options(&format!("--strategy={}", strategy.name())).map(|options| options.strategy);
            assert_eq!(read, Ok(strategy));
        }
    }

    #[test]
    fn wrong_words_are_answered_in_one_line_with_the_nearest() {
        for (line, part) in [
            ("--headles", "did you mean --headless?"),
            ("--frame 3", "did you mean --frames?"),
            ("--strategy agat", "did you mean agate?"),
            ("--strategy per_thread", "did you mean per-thread?"),
            (
                "headless",
                "unexpected argument headless; did you mean --headless?",
            ),
            ("--size 640", "WxH, as in 1280x720"),
            ("--size 0x5", "WxH"),
            ("--frames 0", "a count of at least 1"),
            ("--frames", "--frames needs a value"),
            ("--draws -4", "or auto"),
            ("--draws 4000000000", "or auto"),
            ("--jobs 0", "a count from 1"),
            ("--time-step NaN", "seconds from 0"),
            ("--time-step -1", "seconds from 0"),
            ("--seed x", "a whole number"),
            ("--headless=yes", "takes no value"),
            ("--screenshot=", "a file name"),
            ("--no-execute", "add --headless"),
            ("--headless --no-execute --screenshot a.png", "leave one"),
        ] {
            let error = options(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
            assert!(!error.contains('\n'), "{line}: {error}");
        }
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("same", "same"), 0);
    }
}
