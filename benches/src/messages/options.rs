//! What these benches are asked for on their command line.

use crate::messages::goals::{self, Judged};
use crate::messages::measure::Turns;
use crate::messages::scale::Scale;
use crate::messages::watch::Watch;

/// See [`help`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Rounds that count.
    pub rounds: usize,
    /// The rows that are wanted; all when empty.
    pub only: Vec<String>,
    /// Run everything once and small.
    pub quick: bool,
    /// Print [`help`] and end.
    pub help: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 11,
            only: Vec::new(),
            quick: false,
            help: false,
        }
    }
}

impl Options {
    /// Whether a row is wanted.
    pub fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == row)
    }

    /// How often, and how much in each run.
    pub fn plan(&self) -> Plan {
        let watch = Watch::start();
        if self.quick {
            let (warm_up, rounds) = (0, 1);
            Plan {
                turns: Turns {
                    warm_up,
                    rounds,
                    watch,
                },
                scale: Scale::QUICK,
            }
        } else {
            let (warm_up, rounds) = (1, self.rounds);
            Plan {
                turns: Turns {
                    warm_up,
                    rounds,
                    watch,
                },
                scale: Scale::FULL,
            }
        }
    }
}

/// How often candidates run, and how much they do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How often.
    pub turns: Turns,
    /// How much.
    pub scale: Scale,
}

/// What can be asked for.
pub fn help(about: &str, rows: &[&str]) -> String {
    format!(
        "\
{about}

  --rounds N   rounds that every candidate runs, in turns, at least 5 (11)
  --only ROW   this row of tables alone, may be given again: {}
  --quick      everything once and small, to see that it works: the figures mean nothing
",
        rows.join(", ")
    )
}

/// Reads the command line; `--bench`, which cargo adds, is skipped.
///
/// # Errors
///
/// One line about what is wrong.
///
/// # Examples
///
/// ```
/// use benches::messages::options::parse;
///
/// let words = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
/// let options = parse(words("--only spsc --rounds=7"), &["spsc", "attach"]).unwrap();
/// assert!(options.wants("spsc") && !options.wants("attach") && options.rounds == 7);
/// for wrong in ["--only mpmc", "--rounds 1", "--fast", "spsc", "--quick=yes", "--rounds"] {
///     assert!(parse(words(wrong), &["spsc"]).is_err(), "{wrong}");
/// }
/// ```
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    rows: &[&str],
) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (flag, inline) = match argument.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let switch = match flag.as_str() {
            "--bench" => continue,
            "--help" | "-h" => Some(&mut options.help),
            "--quick" => Some(&mut options.quick),
            "--rounds" | "--only" => None,
            _ => return Err(format!("unknown flag {flag} (--help lists all)")),
        };
        if let Some(switch) = switch {
            if inline.is_some() {
                return Err(format!("{flag} takes no value (--help)"));
            }
            *switch = true;
            continue;
        }
        let value = inline
            .or_else(|| arguments.next())
            .ok_or_else(|| format!("{flag} needs a value (--help)"))?;
        if flag == "--only" {
            if !rows.contains(&value.as_str()) {
                return Err(format!("no row {value:?}; there are {}", rows.join(", ")));
            }
            options.only.push(value);
        } else {
            options.rounds = value
                .parse()
                .ok()
                .filter(|rounds| (5..=10_000).contains(rounds))
                .ok_or_else(|| format!("{flag} {value:?} is not a number from 5 to 10000"))?;
        }
    }
    Ok(options)
}

/// Prints goals under a table, and adds them to those of the whole run.
pub fn print_goals(all: &mut Vec<Judged>, judged: Vec<Judged>) {
    if !judged.is_empty() {
        println!("{}", goals::table(&judged));
    }
    all.extend(judged);
}
