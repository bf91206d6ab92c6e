//! What the bench is asked for on its command line.

use crate::commands::device::Kind;

/// See [`HELP`].
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Frames measured of each candidate.
    pub rounds: usize,
    /// Draws in a frame, each a table.
    pub draws: Vec<usize>,
    /// The devices.
    pub devices: Vec<Kind>,
    /// Jobs in a frame.
    pub jobs: usize,
    /// Measure what encoding costs, and no frames.
    pub encoding_alone: bool,
    /// Print [`HELP`] and end.
    pub help: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 15,
            draws: vec![1_000, 10_000, 100_000],
            devices: Kind::ALL.to_vec(),
            jobs: 32,
            encoding_alone: false,
            help: false,
        }
    }
}

/// What can be asked for.
pub const HELP: &str = "\
Recording a frame's commands in all the ways that people do it, side by side.

  --rounds N        frames measured of each candidate, at least 5 (15)
  --draws N,N,..    draws in a frame, a table for each (1000,10000,100000)
  --devices A,B,..  simulated, lavapipe, null (all)
  --jobs N          jobs in a frame, 1 to 512 (32)
  --encoding-alone  what encoding costs, and no frames
";

/// Reads the command line; `--bench`, which cargo adds, is skipped.
///
/// # Errors
///
/// One line about what is wrong.
///
/// # Examples
///
/// ```
/// let options = benches::commands::options::parse(["--draws", "10,20"].map(String::from)).unwrap();
/// assert_eq!(options.draws, [10, 20]);
/// assert!(benches::commands::options::parse(["--rounds=1".to_string()]).is_err());
/// ```
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        match flag.as_str() {
            "--bench" => continue,
            "--help" | "-h" => {
                options.help = true;
                continue;
            }
            "--encoding-alone" => {
                options.encoding_alone = true;
                continue;
            }
            "--rounds" | "--draws" | "--devices" | "--jobs" => {}
            _ => return Err(format!("unknown flag {flag} (--help lists all)")),
        }
        let value = inline
            .or_else(|| arguments.next())
            .ok_or_else(|| format!("{flag} needs a value (--help)"))?;
        let wrong = || format!("{flag} {value:?} is not understood (--help)");
        match flag.as_str() {
            "--rounds" => options.rounds = number(&value, 5, 10_000).ok_or_else(wrong)?,
            "--jobs" => options.jobs = number(&value, 1, 512).ok_or_else(wrong)?,
            "--draws" => {
                options.draws =
                    list(&value, |item| number(item, 1, 1_000_000)).ok_or_else(wrong)?;
            }
            _ => options.devices = list(&value, kind).ok_or_else(wrong)?,
        }
    }
    Ok(options)
}

fn number(value: &str, least: usize, most: usize) -> Option<usize> {
    let number = value.parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}

fn list<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.split(',').map(item).collect()
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}
