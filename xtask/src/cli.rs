//! What was asked for on the command line.

use std::fmt;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
Usage: cargo xtask COMMAND

  demo [--install] [-- ARGS]   install what the demo needs, build it in release, run it with ARGS
  test [--install]             install what the tests need, run every test and check of the project
  bench NAME [--install] [-- ARGS]
                               run the bench NAME (commands, latency, queue, regressions) with ARGS
  gen [VK_XML]                 write the part of agate-vk that follows from Vulkan's registry; with VK_XML, reduce that
                               registry first (it must be that of ash's version)
  check                        the quick part of test: fmt, clippy, the rules of the house
  check --deep [PROOF]         check, and the proofs that take long: loom with larger bounds, shuttle, Miri, sanitizers,
                               more random cases, fuzzing, a newer validation layer, the Khronos mock driver, few
                               processors, other systems; two hours on two busy processors. With PROOF, only those
                               whose name begins so. What it needs it installs by rustup and cargo, and downloads by
                               apt-get

As root, what is missing is installed with apt-get.
Otherwise the command that installs it is printed; with --install it is run by sudo.
Where the environment variable CI is set, a GPU or window test that was skipped has failed.
";

const COMMANDS: [&str; 6] = ["demo", "test", "bench", "gen", "check", "--help"];

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Bench {
        bench: Bench,
        install: bool,
        arguments: Vec<String>,
    },
    Check,
    /// Everything, or the proofs whose name begins so.
    CheckDeep {
        only: Option<String>,
    },
    Demo {
        install: bool,
        arguments: Vec<String>,
    },
    /// From the registry that is kept here, or from a whole one.
    Gen {
        registry: Option<PathBuf>,
    },
    Test {
        install: bool,
    },
}

/// The benches that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    Commands,
    Latency,
    Queue,
    Regressions,
}

impl Bench {
    const ALL: [Self; 4] = [
        Self::Commands,
        Self::Latency,
        Self::Queue,
        Self::Regressions,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Latency => "latency",
            Self::Queue => "queue",
            Self::Regressions => "regressions",
        }
    }

    /// Whether it records for a driver.
    pub(crate) fn draws(self) -> bool {
        self == Self::Commands
    }
}

/// Why the command line means nothing, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    NoCommand,
    UnknownCommand(String),
    NoBench,
    UnknownBench(String),
    UnexpectedArgument {
        command: &'static str,
        argument: String,
    },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => write!(f, "no command; one of {}", COMMANDS.join(", ")),
            Self::UnknownCommand(name) => {
                write!(
                    f,
                    "no command '{name}'; did you mean '{}'?",
                    nearest(name, &COMMANDS)
                )
            }
            Self::NoBench => {
                write!(
                    f,
                    "bench needs a name: {}",
                    Bench::ALL.map(Bench::name).join(", ")
                )
            }
            Self::UnknownBench(name) => {
                let nearest = nearest(name, &Bench::ALL.map(Bench::name));
                write!(f, "no bench '{name}'; did you mean '{nearest}'?")
            }
            Self::UnexpectedArgument {
                command: command @ ("demo" | "bench"),
                argument,
            } => {
                write!(
                    f,
                    "{command} does not take '{argument}'; what the {command} itself takes goes after --"
                )
            }
            Self::UnexpectedArgument { command, argument } => {
                write!(
                    f,
                    "{command} does not take '{argument}'; see cargo xtask --help"
                )
            }
        }
    }
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, UsageError> {
    let (command, rest) = arguments.split_first().ok_or(UsageError::NoCommand)?;
    if rest.iter().take_while(|a| *a != "--").any(|a| is_help(a)) {
        return Ok(Command::Help);
    }
    match command.as_str() {
        name if is_help(name) || name == "help" => Ok(Command::Help),
        "check" => {
            let (deep, rest) = flag("--deep", rest);
            match (deep, rest) {
                (true, []) => Ok(Command::CheckDeep { only: None }),
                (true, [only]) => Ok(Command::CheckDeep {
                    only: Some(only.clone()),
                }),
                (true, [_, rest @ ..]) => none_left("check", rest).map(|()| Command::Check),
                (false, rest) => none_left("check", rest).map(|()| Command::Check),
            }
        }
        "test" => {
            let (install, rest) = install(rest);
            none_left("test", rest).map(|()| Command::Test { install })
        }
        "demo" => {
            let (install, rest) = install(rest);
            let arguments = passed_on("demo", rest)?;
            Ok(Command::Demo { install, arguments })
        }
        "gen" => match rest {
            [] => Ok(Command::Gen { registry: None }),
            [registry, rest @ ..] => none_left("gen", rest).map(|()| Command::Gen {
                registry: Some(registry.into()),
            }),
        },
        "bench" => {
            let (name, rest) = rest.split_first().ok_or(UsageError::NoBench)?;
            let bench = Bench::ALL.into_iter().find(|bench| bench.name() == name);
            let bench = bench.ok_or_else(|| UsageError::UnknownBench(name.clone()))?;
            let (install, rest) = install(rest);
            let arguments = passed_on("bench", rest)?;
            Ok(Command::Bench {
                bench,
                install,
                arguments,
            })
        }
        unknown => Err(UsageError::UnknownCommand(unknown.to_owned())),
    }
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h")
}

fn install(arguments: &[String]) -> (bool, &[String]) {
    flag("--install", arguments)
}

/// Whether the flag comes first, and what comes after it.
fn flag<'a>(flag: &str, arguments: &'a [String]) -> (bool, &'a [String]) {
    match arguments.split_first() {
        Some((first, rest)) if first == flag => (true, rest),
        _ => (false, arguments),
    }
}

/// What stands behind the dashes; nothing may stand before them.
fn passed_on(command: &'static str, rest: &[String]) -> Result<Vec<String>, UsageError> {
    match rest.split_first() {
        Some((dashes, arguments)) if dashes == "--" => Ok(arguments.to_vec()),
        _ => none_left(command, rest).map(|()| Vec::new()),
    }
}

fn none_left(command: &'static str, arguments: &[String]) -> Result<(), UsageError> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(UsageError::UnexpectedArgument {
            command,
            argument: argument.clone(),
        }),
    }
}

/// The candidate that takes the fewest edits to become `name`; the first among equals.
fn nearest<'a>(name: &str, candidates: &[&'a str]) -> &'a str {
    candidates
        .iter()
        .copied()
        .min_by_key(|candidate| edits(name, candidate))
        .unwrap_or_default()
}

/// Insertions, deletions and replacements that lead from one word to the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{Bench, Command, UsageError, edits, nearest, parse};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_follows_the_dashes_belongs_to_the_demo() {
        let demo = |install, arguments| {
            Ok(Command::Demo {
                install,
                arguments: words(arguments),
            })
        };
        assert_eq!(parse(&words("demo")), demo(false, ""));
        assert_eq!(parse(&words("demo --install")), demo(true, ""));
        assert_eq!(
            parse(&words("demo -- --headless --help")),
            demo(false, "--headless --help")
        );
        assert_eq!(
            parse(&words("demo --install -- --frames 60")),
            demo(true, "--frames 60")
        );
    }

    #[test]
    fn a_bench_has_a_name_and_its_own_arguments() {
        let bench = Command::Bench {
            bench: Bench::Commands,
            install: false,
            arguments: words("--draws 1000"),
        };
        assert_eq!(parse(&words("bench commands -- --draws 1000")), Ok(bench));
        assert_eq!(parse(&words("bench")), Err(UsageError::NoBench));
        let error = parse(&words("bench comands")).unwrap_err().to_string();
        assert_eq!(error, "no bench 'comands'; did you mean 'commands'?");
    }

    #[test]
    fn a_check_may_be_deep() {
        let check = |line| parse(&words(line));
        let deep = |only: Option<&str>| {
            Ok(Command::CheckDeep {
                only: only.map(str::to_owned),
            })
        };
        assert_eq!(check("check"), Ok(Command::Check));
        assert_eq!(check("check --deep"), deep(None));
        assert_eq!(check("check --deep Miri"), deep(Some("Miri")));
        assert!(check("check deep").is_err() && check("check --deep Miri now").is_err());
    }

    #[test]
    fn what_is_generated_may_come_from_a_registry() {
        let of = |registry: Option<&str>| {
            Ok(Command::Gen {
                registry: registry.map(Into::into),
            })
        };
        assert_eq!(parse(&words("gen")), of(None));
        assert_eq!(parse(&words("gen vk.xml")), of(Some("vk.xml")));
        assert!(parse(&words("gen vk.xml more")).is_err());
    }

    #[test]
    fn arguments_that_mean_nothing_are_refused() {
        for line in [
            "demo --headless",
            "check now",
            "test --instal",
            "bench queue --quick",
        ] {
            assert!(
                matches!(
                    parse(&words(line)),
                    Err(UsageError::UnexpectedArgument { .. })
                ),
                "{line}"
            );
        }
        assert_eq!(parse(&[]), Err(UsageError::NoCommand));
    }

    #[test]
    fn help_is_found_wherever_it_stands_before_the_dashes() {
        for line in ["--help", "-h", "help", "test --help", "demo -h"] {
            assert_eq!(parse(&words(line)), Ok(Command::Help), "{line}");
        }
    }

    #[test]
    fn an_unknown_command_names_the_nearest_in_one_line() {
        let error = parse(&words("tset")).unwrap_err().to_string();
        assert_eq!(error, "no command 'tset'; did you mean 'test'?");
        assert_eq!(nearest("dmo", &["test", "demo"]), "demo");
        assert_eq!(nearest("chek", &["test", "demo", "check"]), "check");
    }

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in [
            ("", "abc", 3),
            ("demo", "demo", 0),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(from, to), count, "{from} -> {to}");
        }
    }
}
