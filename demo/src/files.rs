//! Files that the user names: looked at before there is anything to write, and never left half written.
//!
//! A file is written as a temporary beside it, which takes its name once it is complete. So a run that fails leaves no
//! file and takes none away. What is not a plain file (a pipe, a device) is written as it is, and so is a file in a
//! folder that takes no new ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::error::Error;

/// Whether `path` can be written, without a change to it.
///
/// # Errors
///
/// [`Error::Write`] with the reason.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    told(path, look(path))
}

/// Replaces the file by `contents`.
///
/// # Errors
///
/// [`Error::Write`]; the file that was there is there still.
pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    told(path, put(path, contents))
}

fn told(path: &Path, result: io::Result<()>) -> Result<(), Error> {
    result.map_err(|why| Error::Write {
        path: path.to_owned(),
        why: why.to_string(),
    })
}

/// How a path is written.
enum Way {
    /// Through a temporary that takes the place of this file.
    Replace(PathBuf),
    /// Into what is there.
    InPlace,
}

fn look(path: &Path) -> io::Result<()> {
    match way(path)? {
        Way::Replace(file) => Temporary::beside(&file).map(drop),
        Way::InPlace => Ok(()),
    }
}

fn put(path: &Path, contents: &[u8]) -> io::Result<()> {
    match way(path)? {
        Way::Replace(file) => {
            let mut temporary = Temporary::beside(&file)?;
            temporary.file.write_all(contents)?;
            temporary.take_place_of(&file)
        }
        Way::InPlace => {
            let mut options = OpenOptions::new();
            options.write(true);
            if fs::metadata(path).is_ok_and(|found| found.is_file()) && !is_device_name(path) {
                options.truncate(true);
            } else {
                options.append(true);
            }
            options.open(path)?.write_all(contents)
        }
    }
}

fn way(path: &Path) -> io::Result<Way> {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(ErrorKind::IsADirectory.into());
    }
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(why) if why.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(Way::Replace(path.to_owned()));
        }
        Err(why) => return Err(why),
    };
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() || is_device_name(path) {
        return Ok(Way::InPlace);
    }
    // A file that may not be written is not replaced either.
    OpenOptions::new().write(true).open(path)?;
    // A link stays one, and the file that it leads to gets the contents.
    let file = fs::canonicalize(path)?;
    match Temporary::beside(&file) {
        Ok(_) => Ok(Way::Replace(file)),
        Err(why) if why.kind() == ErrorKind::PermissionDenied => Ok(Way::InPlace),
        Err(why) => Err(why),
    }
}

/// Names like `/dev/stdout`, which may lead to a plain file that somebody else is writing.
fn is_device_name(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// A new file, gone again unless it takes another's place.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn beside(file: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let name = format!(".agate-demo-{}-{number}.tmp", std::process::id());
        let path = file.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Self { path, file })
    }

    fn take_place_of(self, file: &Path) -> io::Result<()> {
        if let Ok(old) = fs::metadata(file) {
            self.file.set_permissions(old.permissions())?;
        }
        // The drop finds nothing to remove then.
        fs::rename(&self.path, file)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("agate-files-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder");
        let name = |entry: io::Result<fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_look_leaves_nothing_and_takes_nothing() {
        let folder = folder("look");
        let file = folder.join("new");
        check(&file).expect("it can be written");
        assert!(names(&folder).is_empty());
        fs::write(&file, "old").expect("a file");
        check(&file).expect("it can be replaced");
        assert_eq!(fs::read(&file).expect("it is there"), b"old");
        assert_eq!(names(&folder), ["new"]);
        fs::remove_dir_all(folder).expect("it goes away");
    }

    #[test]
    fn a_link_stays_and_the_mode_too() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = folder("link");
        let (file, link) = (folder.join("file"), folder.join("link"));
        fs::write(&file, "old and longer").expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("its mode");
        symlink("file", &link).expect("a link");
        write(&link, b"new").expect("written");
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).expect("it is there"), b"new");
        let mode = fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(names(&folder), ["file", "link"]);
        fs::remove_dir_all(folder).expect("it goes away");
    }

    #[test]
    fn folders_and_missing_folders_are_refused() {
        let folder = folder("refused");
        for path in [folder.clone(), folder.join("new/"), folder.join("no/file")] {
            assert!(check(&path).is_err(), "{}", path.display());
            assert!(write(&path, b"new").is_err(), "{}", path.display());
        }
        assert!(names(&folder).is_empty());
        fs::remove_dir_all(folder).expect("it goes away");
    }

    #[test]
    fn what_is_no_plain_file_is_written_as_it_is() {
        check(Path::new("/dev/null")).expect("it can be written");
        write(Path::new("/dev/null"), b"new").expect("written");
        let full = write(Path::new("/dev/full"), b"new").expect_err("it is full");
        assert!(full.to_string().starts_with("cannot write /dev/full: "));
    }
}
