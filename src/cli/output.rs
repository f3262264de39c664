//! The destination of a command's answer: a file, a special file, or standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Seek, SeekFrom, Write, stdout};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;

use rustix::io::Errno;

use super::Failure;
use crate::term::sanitize;
use crate::train::FileError;

/// The number of symbolic links that Linux follows.
const MOST_LINKS: usize = 40;

/// The destination of `--out`, with symbolic links followed.
pub enum Destination {
    /// `-`, `/dev/stdout` and the like.
    Stdout,
    /// A regular or new file: replaced as a whole.
    File(PathBuf),
    /// A pipe, a device, a descriptor: written to, never replaced.
    Special(PathBuf),
}

impl Destination {
    /// Follows links one by one: links in /proc stand for open descriptors, and their text is not a path.
    pub fn of(out: &Path) -> io::Result<Self> {
        if out == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut path = out.to_path_buf();
        for _ in 0..MOST_LINKS {
            let is_directory = path.as_os_str().as_bytes().ends_with(b"/");
            let name = path.file_name().filter(|_| !is_directory).ok_or(ErrorKind::IsADirectory)?;
            let folder = folder_of(&path).canonicalize()?;
            let here = folder.join(name);
            if folder == Path::new(&format!("/proc/{}/fd", process::id())) {
                return Ok(if name == "1" { Self::Stdout } else { Self::Special(here) });
            }
            match here.symlink_metadata() {
                Ok(found) if found.is_symlink() => path = folder.join(fs::read_link(here)?),
                Ok(found) if !found.is_file() => return Ok(Self::Special(here)),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => return Ok(Self::File(here)),
            }
        }
        Err(Errno::LOOP.into())
    }
}

/// Writes the bytes of `--out`.
pub fn write(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::from(FileError::at("write", out)(error));
    match Destination::of(out).map_err(failed)? {
        Destination::Stdout if stdout().is_terminal() => {
            Err(Failure::Usage(format!("--out {}: a terminal cannot show a binary file", out.display())))
        }
        Destination::Stdout => to_stdout(bytes),
        Destination::File(path) => replace(&path, bytes).map_err(failed),
        Destination::Special(path) => write_into(&path, bytes).map_err(failed),
    }
}

/// Writes text to the file of `--out`, or to standard output.
pub fn write_text(out: &Path, text: &str) -> Result<(), Failure> {
    if out == Path::new("-") { to_stdout(text.as_bytes()) } else { write(out, text.as_bytes()) }
}

/// Prints text and a line break to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    to_stdout(format!("{text}\n").as_bytes())
}

/// Like [`print`], for text with names from outside: line by line, sanitized.
pub fn print_text(text: &str) -> Result<(), Failure> {
    print(&text.lines().map(sanitize).collect::<Vec<_>>().join("\n"))
}

/// Bytes that cannot be written are a failure, even for a closed pipe: a script must not mistake a part for the whole.
pub fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = stdout().lock();
    said(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// Turns an error of standard output into a failure.
pub fn said(written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| Failure::Failed(format!("cannot write to stdout: {error}")))
}

/// Replaces a regular file, or creates one with the umask's mode; an existing file keeps its mode.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A rename does not check whether the file is writable.
    let mode = match OpenOptions::new().write(true).open(path) {
        Ok(old) => Some(old.metadata()?.permissions()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = folder_of(path);
    let temporary = folder.join(format!(".headcount-{}.tmp", process::id()));
    // Left by a killed process with the same number.
    let _ = fs::remove_file(&temporary);
    let fill = |mut file: File| {
        mode.map_or(Ok(()), |mode| file.set_permissions(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    let filled = OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(fill);
    if filled.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    filled.and_then(|()| File::open(folder)?.sync_all())
}

fn write_into(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    // A descriptor may refer to a regular file that other processes also write to.
    if file.metadata()?.is_file() {
        file.seek(SeekFrom::End(0))?;
    }
    file.write_all(bytes)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
