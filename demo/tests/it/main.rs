//! The demo as its users meet it: a program with flags, pictures, numbers, a window and exit codes.

mod command_line;
mod environment;
mod faults;
mod golden;
mod pictures;
mod support;
mod threads;
mod validation;
mod window;
