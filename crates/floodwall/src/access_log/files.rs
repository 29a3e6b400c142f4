//! The access log's files: the one that is written, and those put aside.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Owner writes, group reads, nobody else: the file tells which address asked for what.
const FILE_MODE: u32 = 0o640;

/// Where lines go. Behind a trait, so that tests can bring a disk that is slow or full.
pub(crate) trait Files: Send + Debug + 'static {
    /// An open file.
    type File: Write + Send + Debug;

    /// Opens the file for appending and makes it where there is none; gives its length in bytes.
    fn open(&mut self) -> io::Result<(Self::File, u64)>;

    /// Renames the file out of the way, and those put aside before it.
    fn put_aside(&mut self) -> io::Result<()>;
}

/// `access.log`, `access.log.1`, ... in one directory.
#[derive(Debug)]
pub(crate) struct LogFiles {
    path: PathBuf,
    keep_files: u32,
}

impl LogFiles {
    /// `keep_files`: how many are kept beside the one that is written, at least one.
    pub(super) fn new(path: PathBuf, keep_files: u32) -> Self {
        Self { path, keep_files: keep_files.max(1) }
    }

    /// Whether something stands in the file's place that is no regular file.
    pub(super) fn is_other_than_file(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| !metadata.is_file())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

impl Files for LogFiles {
    type File = File;

    fn open(&mut self) -> io::Result<(File, u64)> {
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(&self.path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            // A killed process may have left half a line: ours must not become its other half.
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes = bytes.saturating_add(1);
            }
        }
        Ok((file, bytes))
    }

    fn put_aside(&mut self) -> io::Result<()> {
        // Up to the first gap only: a rotation that failed half-way, tried again and again, must not
        // push the oldest files off the end.
        let gap = (1..self.keep_files).find(|number| !self.aside(*number).exists());
        for number in (1..gap.unwrap_or(self.keep_files)).rev() {
            unless_missing(fs::rename(self.aside(number), self.aside(number + 1)))?;
        }
        unless_missing(fs::rename(&self.path, self.aside(1)))
    }
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
