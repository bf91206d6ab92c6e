//! What the two benches of messages do on the command line.

use std::process::ExitCode;
use std::time::Instant;

use crate::machine;
use crate::messages::goals::Judged;
use crate::messages::options::{self, Options};

/// Reads the command line, runs the bench, and tells how it ended: 2 where it was not understood, 1 where a candidate gave
/// a wrong result.
pub fn run(
    name: &str,
    about: &str,
    rows: &[&str],
    bench: impl FnOnce(&Options) -> Result<Vec<Judged>, String>,
) -> ExitCode {
    let options = match options::parse(std::env::args().skip(1), rows) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{name}: {why}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        print!("{}", options::help(about, rows));
        return ExitCode::SUCCESS;
    }
    let begin = Instant::now();
    println!("{}", machine::describe());
    if options.quick {
        println!("Everything once and small: these figures mean nothing.\n");
    } else {
        println!(
            "{} rounds of each candidate, in turns; medians (quartiles), ratios round by round; 1,024 messages fit into a \
             bounded queue, or into the lane of each sender.\n",
            options.rounds
        );
    }
    match bench(&options) {
        Ok(_) => {
            println!("{:.0} seconds", begin.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{name}: {why}");
            ExitCode::FAILURE
        }
    }
}
