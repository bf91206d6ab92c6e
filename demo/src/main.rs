//! The program: all of it is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo::run(
        std::env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned()),
    )
}
