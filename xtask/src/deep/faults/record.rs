//! The records of planted faults: what is taken out of a crate, and which tests must fail then.
//!
//! A record is a few lines of text, so that it outlives moves within a file; white space does not count:
//!
//! ```text
//! fault: what is taken out
//! in: src/queue/intake.rs
//! - lines that stand there
//! - exactly once
//! + lines instead
//! red: faults channels::the_test_that_fails
//! ```
//!
//! In place of `red:`, `hangs:` is for a test that fails or does not end, `dies:` for one that fails or takes its
//! process along. A test that no line of the crate stands behind has `none:` with its name, and `because:`.

use std::path::Path;

/// A fault to plant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) edits: Vec<Edit>,
    pub(super) tests: Vec<Test>,
}

/// A text in a file of the crate, and what stands there instead.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) file: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// A test, by the program that has it and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) program: String,
    pub(super) name: String,
    pub(super) how: How,
}

/// How a test may show a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Red,
    Hangs,
    Dies,
    /// Not by a fault that can be planted, for this reason.
    None,
}

/// All records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) faults: Vec<Fault>,
    /// Tests behind which no line stands that could be taken out, and why.
    pub(super) exempt: Vec<(Test, String)>,
}

impl Records {
    /// Reads the records of a folder: all its files that end in `.txt`.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let unread = |error| format!("{}: {error}", folder.display());
        let entries = folder.read_dir().map_err(unread)?;
        let mut files: Vec<_> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(unread)?;
        files.retain(|file| file.extension().is_some_and(|end| end == "txt"));
        files.sort();
        let mut records = Self::default();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(unread)?;
            records
                .add(&text)
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(records)
    }

    /// Every test that is named, also as one that shows no fault.
    pub(super) fn tests(&self) -> impl Iterator<Item = &Test> {
        let shown = self.faults.iter().flat_map(|fault| &fault.tests);
        shown.chain(self.exempt.iter().map(|(test, _)| test))
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let mut exempt = None;
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what: &str| format!("line {number}: {what}: {line}");
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let fault = self.faults.last_mut().ok_or_else(|| wrong("no fault yet"));
            match key {
                "fault:" => self.faults.push(Fault {
                    name: value.into(),
                    ..Fault::default()
                }),
                "in:" => fault?.edits.push(Edit {
                    file: value.into(),
                    ..Edit::default()
                }),
                "-" | "+" => {
                    let edits = &mut fault?.edits;
                    let edit = edits.last().ok_or_else(|| wrong("no file yet"))?;
                    if key == "-" && !edit.to.is_empty() {
                        let file = edit.file.clone();
                        edits.push(Edit {
                            file,
                            ..Edit::default()
                        });
                    }
                    if let Some(edit) = edits.last_mut() {
                        let text = if key == "-" {
                            &mut edit.from
                        } else {
                            &mut edit.to
                        };
                        text.push_str(value);
                        text.push('\n');
                    }
                }
                "red:" => fault?.tests.push(test(value, How::Red)?),
                "hangs:" => fault?.tests.push(test(value, How::Hangs)?),
                "dies:" => fault?.tests.push(test(value, How::Dies)?),
                "none:" => exempt = Some(test(value, How::None)?),
                "because:" => {
                    let test = exempt.take().ok_or_else(|| wrong("no test"))?;
                    self.exempt.push((test, value.into()));
                }
                _ => return Err(wrong("unknown")),
            }
        }
        exempt.map_or(Ok(()), |test| Err(format!("{}: no reason", test.name)))
    }
}

fn test(words: &str, how: How) -> Result<Test, String> {
    let (program, name) = words
        .split_once(' ')
        .ok_or_else(|| format!("a test is a program and a name: {words}"))?;
    Ok(Test {
        program: program.into(),
        name: name.into(),
        how,
    })
}

impl Edit {
    /// The text of the file with the edit made.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        let found = places(text, &self.from);
        let [(from, to)] = found[..] else {
            return Err(format!(
                "in {} this stands {} times, it must be once; the record must follow the code:\n{}",
                self.file,
                found.len(),
                self.from
            ));
        };
        Ok([&text[..from], self.to.trim_end(), &text[to..]].concat())
    }
}

/// Where `wanted` stands in `text`, from and to, white space aside.
fn places(text: &str, wanted: &str) -> Vec<(usize, usize)> {
    let solid = |text: &str| -> Vec<(usize, char)> {
        let all = text.char_indices();
        all.filter(|(_, letter)| !letter.is_whitespace()).collect()
    };
    let (text, wanted) = (solid(text), solid(wanted));
    if wanted.is_empty() {
        return Vec::new();
    }
    let same = |window: &&[(usize, char)]| window.iter().zip(&wanted).all(|(a, b)| a.1 == b.1);
    let windows = text.windows(wanted.len()).filter(same);
    windows
        .map(|window| {
            let (last, letter) = window[window.len() - 1];
            (window[0].0, last + letter.len_utf8())
        })
        .collect()
}

/// The tests in the source of a program, or of a module of one.
pub(super) fn tests_in(source: &str, module: Option<&str>) -> Vec<String> {
    let mut lines = source.lines();
    let mut found = Vec::new();
    while lines.any(|line| line.trim() == "#[test]") {
        let name = lines.by_ref().find_map(|line| {
            let name = line.trim().strip_prefix("fn ")?;
            name.split('(').next()
        });
        if let Some(name) = name {
            found.push(module.map_or_else(|| name.into(), |module| format!("{module}::{name}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Edit, How, Records, tests_in};

    const TEXT: &str = "\
# A comment.
fault: nobody is woken
in: src/park.rs
- if asleep {
-     wake();
- }
- fence();
+ light();
red: wakes one
hangs: faults waiting::two

none: leaks three
because: there is nothing to take out
";

    #[test]
    fn a_record_is_read() {
        let mut records = Records::default();
        records.add(TEXT).unwrap();
        let [fault] = &records.faults[..] else {
            panic!("{records:?}")
        };
        assert_eq!(fault.name, "nobody is woken");
        assert_eq!(fault.edits.len(), 1);
        assert_eq!(fault.edits[0].file, "src/park.rs");
        assert_eq!(fault.edits[0].to, "light();\n");
        let tests: Vec<_> = records
            .tests()
            .map(|test| (test.program.as_str(), test.name.as_str(), test.how))
            .collect();
        assert_eq!(
            tests,
            [
                ("wakes", "one", How::Red),
                ("faults", "waiting::two", How::Hangs),
                ("leaks", "three", How::None)
            ]
        );
        assert_eq!(records.exempt[0].1, "there is nothing to take out");
    }

    #[test]
    fn lines_that_mean_nothing_are_told() {
        let wrong = |text| Records::default().add(text).unwrap_err();
        assert!(wrong("red: wakes one\n").contains("no fault yet"));
        assert!(wrong("fault: x\nsomething\n").contains("line 2: unknown"));
        assert!(wrong("fault: x\n- text\n").contains("no file yet"));
        assert!(wrong("fault: x\nred: wakes\n").contains("a program and a name"));
        assert!(wrong("none: leaks one\n").contains("no reason"));
    }

    #[test]
    fn an_edit_fits_once_whatever_the_white_space() {
        let edit = |from: &str| Edit {
            file: "a.rs".into(),
            from: from.into(),
            to: "c();\n".into(),
        };
        let text = "fn f() {\n    a(\n        1,\n    );\n    b();\n    b();\n}\n";
        assert_eq!(
            edit("a(1,);").apply(text).unwrap(),
            "fn f() {\n    c();\n    b();\n    b();\n}\n"
        );
        assert!(edit("b();").apply(text).unwrap_err().contains("2 times"));
        assert!(edit("d();").apply(text).unwrap_err().contains("0 times"));
        assert!(edit("").apply(text).is_err());
    }

    #[test]
    fn tests_are_found_in_a_source() {
        let source = "#[test]\nfn one() {}\nfn helper() {}\n#[test]\n#[cfg(unix)]\nfn two() {\n}\n";
        assert_eq!(tests_in(source, None), ["one", "two"]);
        assert_eq!(tests_in(source, Some("m")), ["m::one", "m::two"]);
    }
}
