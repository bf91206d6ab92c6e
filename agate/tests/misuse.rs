//! What must not compile does not, and the compiler says why in terms of what the user did.
//!
//! What it says word for word changes from compiler to compiler, so only the one named below is asked.

use std::process::Command;

/// The compiler whose words the files hold.
const WORDS_OF: &str = "1.95";

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8(version.stdout).unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "runs a compiler")]
fn misuse_is_refused() {
    let version = compiler();
    if !version.contains(&format!("rustc {WORDS_OF}.")) {
        println!("SKIPPED: the words are those of {WORDS_OF}, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
