//! Lines of a log in, records out; and which format a log is in.

use std::fmt;
use std::str::FromStr;

use super::record::{Line, LineFault, LogRecord};
use super::{combined, counts, haproxy, json, w3c};

/// Bytes of a line that is read; a longer one is a fault of its own.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Lines by which a format is recognised.
const SAMPLE_LINES: usize = 64;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// Combined and common lines of Apache and nginx.
    Combined,
    /// JSON lines: nginx, Caddy, Floodwall's own.
    Json,
    /// HAProxy's `option httplog`.
    Haproxy,
    /// W3C Extended: IIS, CloudFront.
    W3c,
    /// Plain counts.
    Counts,
}

impl LogFormat {
    /// Every format, those first that are hardest to take for another.
    pub const ALL: &'static [Self] = &[Self::Json, Self::W3c, Self::Haproxy, Self::Combined, Self::Counts];

    /// A short name for the command line and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Json => "json",
            Self::Haproxy => "haproxy",
            Self::W3c => "w3c",
            Self::Counts => "counts",
        }
    }

    /// Which format the first lines of a log are in: the one that reads most of them. `None` where
    /// none reads any.
    #[must_use]
    pub fn detect(sample: &[u8]) -> Option<Self> {
        let mut best = None;
        for format in Self::ALL {
            let mut reader = LogReader::new(*format, 0);
            let lines = sample.split(|byte| *byte == b'\n').take(SAMPLE_LINES);
            let read = lines
                .filter(|line| matches!(reader.read_only(line), Line::Request(_) | Line::Count(_)))
                .count();
            if read > best.map_or(0, |(read, _)| read) {
                best = Some((read, *format));
            }
        }
        best.map(|(_, format)| format)
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format; write combined, common, nginx-json, caddy, haproxy, w3c or counts")]
pub struct UnknownFormat(pub String);

/// The names people know formats by; several mean the same.
impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "combined" | "common" => Ok(Self::Combined),
            "json" | "nginx-json" | "caddy" => Ok(Self::Json),
            "haproxy" => Ok(Self::Haproxy),
            "w3c" | "iis" => Ok(Self::W3c),
            "counts" => Ok(Self::Counts),
            _ => Err(UnknownFormat(name.to_owned())),
        }
    }
}

/// Reads the lines of one log.
#[derive(Clone, Debug)]
pub struct LogReader {
    format: LogFormat,
    mixed: bool,
    /// Of local times that say no offset from UTC.
    offset_s: i32,
    columns: w3c::Columns,
    other_format: u64,
}

impl LogReader {
    /// Reads lines of this format. Times that say no offset are `offset_s` seconds ahead of UTC.
    #[must_use]
    pub fn new(format: LogFormat, offset_s: i32) -> Self {
        Self { format, mixed: false, offset_s, columns: w3c::Columns::default(), other_format: 0 }
    }

    /// A line that this format does not read is tried in the others, plain counts excepted.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self { mixed: true, ..self }
    }

    /// The format that is read.
    #[must_use]
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Lines that were read in another format.
    #[must_use]
    pub fn other_format(&self) -> u64 {
        self.other_format
    }

    /// What one line is. Its newline may be left on.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        let read = self.read_only(line);
        let Line::Fault(fault) = read else { return read };
        if !self.mixed || fault == LineFault::TooLong || self.format == LogFormat::Counts {
            return read;
        }
        let line = line.trim_ascii();
        let others = LogFormat::ALL.iter().filter(|format| **format != self.format);
        let record = others.copied().find_map(|format| self.record(format, line).ok());
        self.other_format += u64::from(record.is_some());
        record.map_or(read, Line::Request)
    }

    fn read_only<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        if line.len() > LINE_BYTES_MAX {
            return Line::Fault(LineFault::TooLong);
        }
        // A byte order mark, and what Windows ends lines with.
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
        match line {
            [] => Line::Nothing,
            [b'#', ..] => {
                self.columns.directive(line);
                Line::Nothing
            }
            _ if self.format == LogFormat::Counts => match counts::read(line, self.offset_s) {
                Ok(Some(count)) => Line::Count(count),
                Ok(None) => Line::Nothing,
                Err(fault) => Line::Fault(fault),
            },
            _ => self.record(self.format, line).map_or_else(Line::Fault, Line::Request),
        }
    }

    fn record<'a>(&self, format: LogFormat, line: &'a [u8]) -> Result<LogRecord<'a>, LineFault> {
        match format {
            LogFormat::Combined => combined::read(line, self.offset_s),
            LogFormat::Json => json::read(line, self.offset_s),
            LogFormat::Haproxy => haproxy::read(line, self.offset_s),
            LogFormat::W3c => self.columns.read(line),
            LogFormat::Counts => Err(LineFault::Form),
        }
    }
}

/// `+02:00` as seconds ahead of UTC; `None` for what is no offset.
#[must_use]
pub fn parse_utc_offset(text: &str) -> Option<i32> {
    if text == "Z" { Some(0) } else { super::times::offset_seconds(text.as_bytes()) }
}
