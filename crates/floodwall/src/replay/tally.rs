//! What was read of a log, and what could not be.

use floodwall_exchange::access_log::{LineFault, LogFormat};

/// Broken lines of a file that are shown; the others are counted.
const SHOWN_MAX: usize = 3;
/// Bytes of a broken line that are shown.
const SHOWN_BYTES: usize = 60;

/// A line that could not be read.
#[derive(Clone, Debug)]
pub(crate) struct BrokenLine {
    /// Its number in the file, from 1.
    pub(crate) number: u64,
    pub(crate) fault: LineFault,
    /// Its beginning, escaped.
    pub(crate) text: String,
}

/// One file's lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) name: String,
    /// `None` where no line of it is in a format that is read.
    pub(crate) format: Option<LogFormat>,
    pub(crate) lines: u64,
    /// Lines that are a request, or a row of counts.
    pub(crate) records: u64,
    /// Of these, in another format than the file's.
    pub(crate) other_format: u64,
    /// Empty lines, comments, headings.
    pub(crate) nothing: u64,
    faults: [u64; LineFault::ALL.len()],
    pub(crate) first_broken: Vec<BrokenLine>,
    /// Lines left out because their time is far from that of all others.
    pub(crate) strays: u64,
    /// How often the clock was put back, and by how much at most, in microseconds.
    pub(crate) put_back: u64,
    pub(crate) put_back_max: i64,
    /// Why reading ended before the end of the file.
    pub(crate) broken_off: Option<String>,
}

impl Tally {
    pub(crate) fn of(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Counts a line that cannot be read; `number` is its number in the file.
    pub(crate) fn broken(&mut self, number: u64, fault: LineFault, line: &[u8]) {
        let place = LineFault::ALL.iter().position(|known| *known == fault);
        if let Some(count) = place.and_then(|place| self.faults.get_mut(place)) {
            *count += 1;
        }
        if self.first_broken.len() < SHOWN_MAX {
            let line = line.trim_ascii();
            let mut text = line.get(..SHOWN_BYTES).unwrap_or(line).escape_ascii().to_string();
            if line.len() > SHOWN_BYTES {
                text.push_str("...");
            }
            self.first_broken.push(BrokenLine { number, fault, text });
        }
    }

    /// Lines that could not be read, by what is wrong with them; those of which there are none are
    /// left out.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (LineFault, u64)> {
        LineFault::ALL.iter().copied().zip(self.faults).filter(|(_, count)| *count > 0)
    }

    /// Lines that could not be read.
    pub(crate) fn broken_lines(&self) -> u64 {
        self.faults.iter().sum()
    }
}
