//! One log file as requests in nearly the order of their times.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;

use floodwall_exchange::access_log::{CountRecord, Line, LogFormat, LogReader};
use floodwall_model::Prefix;

use super::clock_steps::{ClockSteps, Timed};
use super::event::Event;
use super::files::LogFile;
use super::reading::{RequestReading, own_hosts};
use super::tally::Tally;

/// How files are read.
#[derive(Clone, Debug)]
pub(crate) struct ReadOptions {
    /// `None`: each file's own is recognised.
    pub(crate) format: Option<LogFormat>,
    /// Of local times that say no offset from UTC, in seconds.
    pub(crate) utc_offset_s: i32,
    pub(crate) trusted_proxies: Vec<Prefix>,
    /// The site's own names; empty where they are to be found in the log.
    pub(crate) hosts: Vec<String>,
}

impl ReadOptions {
    /// A reader for a file that begins like this; `None` where its format is not known.
    pub(crate) fn reader(&self, beginning: &[u8]) -> Option<LogReader> {
        match self.format {
            Some(format) => Some(LogReader::new(format, self.utc_offset_s)),
            None => {
                LogFormat::detect(beginning).map(|format| LogReader::new(format, self.utc_offset_s).mixed())
            }
        }
    }

    /// The time of the first line that has one, in microseconds since 1970.
    pub(crate) fn first_time(&self, file: &LogFile) -> Option<i64> {
        let beginning = file.beginning();
        let mut reader = self.reader(&beginning)?;
        beginning.split(|byte| *byte == b'\n').find_map(|line| match reader.read(line) {
            Line::Request(record) => Some(record.unix_micros),
            Line::Count(count) => Some(count.unix_micros),
            Line::Nothing | Line::Fault(_) => None,
        })
    }
}

impl Timed for Event {
    fn unix_micros(&self) -> i64 {
        self.unix_micros
    }

    fn set_unix_micros(&mut self, unix_micros: i64) {
        self.unix_micros = unix_micros;
    }
}

/// A log file that is being read.
pub(crate) struct Source {
    blocks: Receiver<io::Result<Vec<u8>>>,
    options: ReadOptions,
    reader: Option<LogReader>,
    reading: RequestReading,
    clock: ClockSteps<Event>,
    /// Requests of the lines read last, the next one at `next`.
    ready: Vec<Event>,
    next: usize,
    counts: Vec<CountRecord>,
    ended: bool,
    tally: Tally,
}

impl Source {
    /// Begins to read a file.
    ///
    /// # Errors
    /// The system gives no thread for it.
    pub(crate) fn open(
        file: &LogFile,
        options: &ReadOptions,
        read_bytes: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        Ok(Self {
            blocks: file.read(read_bytes)?,
            options: options.clone(),
            reader: None,
            reading: RequestReading::new(&options.hosts),
            clock: ClockSteps::new(),
            ready: Vec::new(),
            next: 0,
            counts: Vec::new(),
            ended: false,
            tally: Tally::of(file.name()),
        })
    }

    /// The next request; reads on where there is none.
    pub(crate) fn peek(&mut self) -> Option<&Event> {
        while self.next >= self.ready.len() && !self.ended {
            self.read_block();
        }
        self.ready.get(self.next)
    }

    /// Passes over the request that [`Self::peek`] gave.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    /// Rows of plain counts that were read so far.
    pub(crate) fn take_counts(&mut self) -> Vec<CountRecord> {
        std::mem::take(&mut self.counts)
    }

    /// What was read of it.
    pub(crate) fn into_tally(mut self) -> Tally {
        self.tally.other_format = self.reader.as_ref().map_or(0, LogReader::other_format);
        self.tally.strays = self.clock.strays;
        self.tally.put_back = self.clock.put_back;
        self.tally.put_back_max = self.clock.put_back_max;
        self.tally
    }

    fn read_block(&mut self) {
        self.ready.clear();
        self.next = 0;
        match self.blocks.recv() {
            Ok(Ok(block)) => self.read_lines(&block),
            Ok(Err(error)) => self.tally.broken_off = Some(error.to_string()),
            // The thread that reads has come to the end.
            Err(_) => {
                self.ended = true;
                self.clock.finish(&mut self.ready);
            }
        }
    }

    fn read_lines(&mut self, block: &[u8]) {
        if self.reader.is_none() {
            self.reader = self.options.reader(block);
            self.tally.format = self.reader.as_ref().map(LogReader::format);
            if let Some(reader) = self.reader.as_ref().filter(|_| self.options.hosts.is_empty()) {
                self.reading = RequestReading::new(&own_hosts(block, reader.clone()));
            }
        }
        // Where nothing is recognised, each line is a fault of the commonest format.
        let reader =
            self.reader.get_or_insert_with(|| LogReader::new(LogFormat::Combined, self.options.utc_offset_s));
        let mut rest = block;
        while !rest.is_empty() {
            let (line, after) = match memchr::memchr(b'\n', rest) {
                Some(end) => rest.split_at_checked(end + 1).unwrap_or((rest, &[])),
                None => (rest, &[][..]),
            };
            rest = after;
            self.tally.lines += 1;
            match reader.read(line) {
                Line::Request(record) => {
                    self.tally.records += 1;
                    let event = Event::of(&record, &mut self.reading, &self.options.trusted_proxies);
                    self.clock.push(event, &mut self.ready);
                }
                Line::Count(count) => {
                    self.tally.records += 1;
                    self.counts.push(count);
                }
                Line::Nothing => self.tally.nothing += 1,
                Line::Fault(fault) => self.tally.broken(self.tally.lines, fault, line),
            }
        }
    }
}
