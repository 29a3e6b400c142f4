//! Log files as blocks of whole lines, gzip unpacked, each on a thread of its own behind a bounded
//! queue.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use flate2::read::MultiGzDecoder;
use floodwall_exchange::access_log::LINE_BYTES_MAX;

/// Bytes of a block.
const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that wait between the thread that reads and the one that takes them.
const BLOCKS_WAITING: usize = 4;

/// What stands for standard input on the command line.
const STANDARD_INPUT: &str = "-";

/// Why a file cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileFault {
    #[error("{0}: {1}")]
    Open(PathBuf, io::Error),
    #[error("{0} is a directory; name its files: floodwall replay {0}/*")]
    Directory(PathBuf),
    #[error(
        "{0} is packed with {1}, which is not read here; unpack it first: {1} -d -c {0} | floodwall replay -"
    )]
    Packed(PathBuf, &'static str),
}

/// A log file, found to be there and readable.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    /// Its size on disk; 0 for standard input.
    pub(crate) bytes: u64,
}

impl LogFile {
    /// Looks at the file without reading it.
    ///
    /// # Errors
    /// It is not there, not readable, no file, or packed in a way that is not read.
    pub(crate) fn find(path: &Path) -> Result<Self, FileFault> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self { path: path.to_owned(), bytes: 0 });
        }
        let fault = |error| FileFault::Open(path.to_owned(), error);
        let mut file = File::open(path).map_err(fault)?;
        let metadata = file.metadata().map_err(fault)?;
        if metadata.is_dir() {
            return Err(FileFault::Directory(path.to_owned()));
        }
        if metadata.is_file() {
            let mut magic = [0; 6];
            let length = file.read(&mut magic).map_err(fault)?;
            let packed = match magic.get(..length) {
                Some([0x28, 0xB5, 0x2F, 0xFD, ..]) => Some("zstd"),
                Some([0xFD, b'7', b'z', b'X', b'Z', 0]) => Some("xz"),
                Some([b'B', b'Z', b'h', ..]) => Some("bzip2"),
                _ => None,
            };
            if let Some(packer) = packed {
                return Err(FileFault::Packed(path.to_owned(), packer));
            }
        }
        Ok(Self { path: path.to_owned(), bytes: metadata.len() })
    }

    /// How it is called in messages.
    pub(crate) fn name(&self) -> String {
        if self.is_standard_input() { "standard input".to_owned() } else { self.path.display().to_string() }
    }

    pub(crate) fn is_standard_input(&self) -> bool {
        self.path.as_os_str() == STANDARD_INPUT
    }

    /// The first lines, to tell where the log begins.
    pub(crate) fn beginning(&self) -> Vec<u8> {
        let unread = Arc::new(AtomicU64::new(0));
        let Ok(mut input) = self.input(&unread) else { return Vec::new() };
        let mut blocks = Blocks::new(&mut input);
        blocks.next().and_then(Result::ok).unwrap_or_default()
    }

    /// Begins to read it, on a thread of its own. `read_bytes` grows with what was read from disk.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn read(&self, read_bytes: &Arc<AtomicU64>) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
        let (sender, receiver) = sync_channel(BLOCKS_WAITING);
        let (file, read_bytes) = (self.clone(), Arc::clone(read_bytes));
        std::thread::Builder::new()
            .name("replay-read".to_owned())
            .spawn(move || file.send_blocks(&read_bytes, &sender))?;
        Ok(receiver)
    }

    fn send_blocks(&self, read_bytes: &Arc<AtomicU64>, sender: &SyncSender<io::Result<Vec<u8>>>) {
        match self.input(read_bytes) {
            Ok(mut input) => {
                // That nobody takes them any more is no fault.
                let _ = Blocks::new(&mut input).try_for_each(|block| sender.send(block));
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
    }

    /// What it holds, unpacked where it begins as gzip does.
    fn input(&self, read_bytes: &Arc<AtomicU64>) -> io::Result<Box<dyn Read>> {
        let file: Box<dyn Read> =
            if self.is_standard_input() { Box::new(io::stdin()) } else { Box::new(File::open(&self.path)?) };
        let mut counted = Counted { input: file, read_bytes: Arc::clone(read_bytes) };
        let mut magic = Vec::new();
        (&mut counted).take(2).read_to_end(&mut magic)?;
        let is_gzip = magic == [0x1F, 0x8B];
        let whole = io::Cursor::new(magic).chain(counted);
        if is_gzip { Ok(Box::new(MultiGzDecoder::new(whole))) } else { Ok(Box::new(whole)) }
    }
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read>,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.read_bytes.fetch_add(u64::try_from(length).unwrap_or(0), Relaxed);
        Ok(length)
    }
}

/// Blocks of whole lines. Of a line longer than a block its beginning is left, too long to be read as
/// one: it is counted and costs no memory. Where reading fails, what was read comes first.
struct Blocks<'a> {
    input: &'a mut dyn Read,
    rest: Vec<u8>,
    ended: bool,
    failed: Option<io::Error>,
}

impl<'a> Blocks<'a> {
    fn new(input: &'a mut dyn Read) -> Self {
        Self { input, rest: Vec::new(), ended: false, failed: None }
    }

    /// Fills `block` to its end, or to the end of the input.
    fn fill(&mut self, block: &mut Vec<u8>) {
        let mut length = block.len();
        block.resize(BLOCK_BYTES, 0);
        while length < BLOCK_BYTES && !self.ended {
            match block.get_mut(length..).map(|room| self.input.read(room)) {
                Some(Ok(0)) | None => self.ended = true,
                Some(Ok(more)) => length += more,
                Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Some(Err(error)) => {
                    self.failed = Some(error);
                    self.ended = true;
                }
            }
        }
        block.truncate(length);
    }

    /// Passes over the rest of a line of which `block` holds the beginning.
    fn skip_line(&mut self, block: &mut Vec<u8>) {
        block.truncate(LINE_BYTES_MAX + 1);
        while !self.ended {
            let mut more = Vec::new();
            self.fill(&mut more);
            if let Some(end) = memchr::memchr(b'\n', &more) {
                self.rest = more.split_off(end + 1);
                return;
            }
        }
    }
}

impl Iterator for Blocks<'_> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut block = std::mem::take(&mut self.rest);
        if !self.ended {
            self.fill(&mut block);
        }
        if block.is_empty() {
            return self.failed.take().map(Err);
        }
        match memchr::memrchr(b'\n', &block) {
            Some(end) => self.rest = block.split_off(end + 1),
            None if self.ended => {}
            None => self.skip_line(&mut block),
        }
        Some(Ok(block))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes in pieces, and fails at the end where it is told to.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        piece: usize,
        fails: bool,
    }

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let left = &self.bytes[self.at..];
            let length = left.len().min(self.piece).min(buffer.len());
            if length == 0 && self.fails {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer[..length].copy_from_slice(&left[..length]);
            self.at += length;
            Ok(length)
        }
    }

    fn blocks(bytes: Vec<u8>, piece: usize, fails: bool) -> (Vec<Vec<u8>>, bool) {
        let mut input = Pieces { bytes, at: 0, piece, fails };
        let (mut blocks, mut failed) = (Vec::new(), false);
        for block in Blocks::new(&mut input) {
            match block {
                Ok(block) => blocks.push(block),
                Err(_) => failed = true,
            }
        }
        (blocks, failed)
    }

    #[test]
    fn of_a_line_of_megabytes_the_beginning_is_left() {
        let long = vec![b'a'; 3 << 20];
        let bytes = [b"one\n", &long[..], b"\ntwo\nthree"].concat();
        let (blocks, failed) = blocks(bytes, 100_000, false);
        let lines: Vec<_> = blocks.iter().flat_map(|block| block.split(|byte| *byte == b'\n')).collect();
        let lengths: Vec<_> = lines.iter().filter(|line| !line.is_empty()).map(|line| line.len()).collect();
        assert_eq!((lengths, failed), (vec![3, LINE_BYTES_MAX + 1, 3, 5], false));
    }

    #[test]
    fn what_was_read_before_a_fault_is_given_out() {
        let (blocks, failed) = blocks(b"one\ntwo\nthr".to_vec(), 4, true);
        assert_eq!((blocks.concat(), failed), (b"one\ntwo\nthr".to_vec(), true));
    }

    proptest! {
        #[test]
        fn blocks_are_whole_lines_and_together_the_input(
            lines in prop::collection::vec((0..40_000_usize, any::<u8>()), 0..40), piece in 1..500_000_usize, ends: bool,
        ) {
            let mut bytes: Vec<u8> = lines.iter().flat_map(|(length, byte)| {
                let byte = if *byte == b'\n' { b' ' } else { *byte };
                [vec![byte; *length], b"\n".to_vec()].concat()
            }).collect();
            if ends {
                bytes.extend_from_slice(b"no newline");
            }
            let (blocks, failed) = blocks(bytes.clone(), piece, false);
            prop_assert!(!failed);
            if let Some((last, others)) = blocks.split_last() {
                prop_assert!(others.iter().all(|block| block.ends_with(b"\n")));
                prop_assert!(!last.is_empty());
            }
            prop_assert_eq!(blocks.concat(), bytes);
        }
    }
}
