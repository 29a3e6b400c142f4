//! A whole log, record by record: whether it is what its checkpoint says, and where it is not.

use crate::canonical::check_canonical;
use crate::checkpoint::Checkpoint;
use crate::merkle::{Hash, leaf_hash};
use crate::tile::{RightEdge, TileCoordinate};

/// Gaps that are listed at most; more are counted.
const GAPS_MAX: usize = 100;

/// What is wrong, and where first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The record, from 0; `None` where it cannot be told which.
    pub record: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// Minutes of a run for which there is no summary: not a fault of the log, but of what it can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The record after the gap.
    pub before_record: u64,
    /// The first missing minute, in seconds since 1970.
    pub from_unix_s: i64,
    /// Minutes that are missing.
    pub minutes: u64,
}

/// What a log was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFindings {
    /// Records that were read.
    pub records: u64,
    /// The first thing that is wrong; `None` where nothing is.
    pub fault: Option<LogFault>,
    /// Minutes without a summary, the first hundred of these gaps.
    pub gaps: Vec<Gap>,
    /// Gaps that are not listed.
    pub gaps_more: u64,
    /// Summaries whose minute is not after the one before: the clock was set back.
    pub clock_back: u64,
    /// Starts of the server that no stop came before: it was ended by force.
    pub ended_by_force: u64,
}

/// Takes a log's records in order. What is logged is compared with the tiles of hashes, so that the
/// first changed record can be named, and with the checkpoint.
#[derive(Debug, Default)]
pub struct LogCheck {
    edge: RightEdge,
    findings: LogFindings,
    last_minute: Option<i64>,
    is_running: bool,
}

impl LogCheck {
    /// Takes the next records (one entry bundle's), and the tile of their hashes as far as it is there.
    /// Full tiles of higher levels that they complete are handed to `full`.
    ///
    /// After a fault nothing more is looked at.
    pub fn records<'a>(
        &mut self,
        records: impl Iterator<Item = &'a [u8]>,
        tile: Option<&[u8]>,
        mut full: impl FnMut(TileCoordinate, &[Hash]) -> bool,
    ) {
        let (kept, rest) = tile.unwrap_or_default().as_chunks::<32>();
        if !rest.is_empty() {
            self.fail(None, format!("the tile of hashes at record {} is cut off", self.edge.size()));
        }
        for (position, record) in records.enumerate() {
            if self.findings.fault.is_some() {
                return;
            }
            let index = self.edge.size();
            let hash = leaf_hash(record);
            if let Some(kept) = kept.get(position)
                && *kept != hash.0
            {
                self.fail(
                    Some(index),
                    format!("record {index} is not the one that was logged (its hash is another)"),
                );
                return;
            }
            if let Err(fault) = check_canonical(record) {
                self.fail(Some(index), format!("record {index} is not canonical JSON: {fault}"));
                return;
            }
            let mut broken = None;
            self.edge.push(hash, |tile, hashes| {
                if tile.level > 0 && !full(tile, hashes) {
                    broken = Some(tile);
                }
            });
            if let Some(tile) = broken {
                let what = format!("the tile {} is not that of the records below it", tile.path());
                self.fail(None, what);
                return;
            }
            self.findings.records += 1;
            self.look(index, record);
        }
        if tile.is_some() && kept.len() as u64 != (self.edge.size() + 255) % 256 + 1 {
            self.fail(
                None,
                format!("the tile of hashes before record {} has another width", self.edge.size()),
            );
        }
    }

    /// Notes something that was found wrong elsewhere, unless there is an earlier fault.
    pub fn fail(&mut self, record: Option<u64>, what: String) {
        self.findings.fault.get_or_insert(LogFault { record, what });
    }

    /// Records that were taken.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.fault.is_none()
    }

    /// The growing side of the tree that was built.
    #[must_use]
    pub fn edge(&self) -> &RightEdge {
        &self.edge
    }

    /// Compares with the checkpoint.
    #[must_use]
    pub fn finish(mut self, checkpoint: &Checkpoint) -> LogFindings {
        let size = self.edge.size();
        if size != checkpoint.size {
            let what = format!("the checkpoint says {} records, and there are {size}", checkpoint.size);
            self.fail(Some(size.min(checkpoint.size)), what);
        } else if self.edge.root() != checkpoint.root {
            let what = "the records and the hashes agree, and the signed checkpoint has another root: both were changed";
            self.fail(None, what.to_owned());
        }
        self.findings
    }

    /// Gaps and steps, by the few words that matter: reading every record whole would take five times
    /// as long.
    fn look(&mut self, index: u64, record: &[u8]) {
        // Names are sorted: `kind` comes before `minute_unix_s`, after `at` and free of what
        // visitors send.
        match kind_of(record) {
            Some(b"minute") => {
                let Some(minute) = minute_of(record) else { return };
                if let Some(last) = self.last_minute {
                    if minute <= last {
                        self.findings.clock_back += 1;
                    } else if minute - last > 60 && self.is_running {
                        self.gap(index, last.saturating_add(60), (minute - last).unsigned_abs() / 60 - 1);
                    }
                }
                self.last_minute = Some(minute);
            }
            Some(b"start") => {
                self.findings.ended_by_force += u64::from(self.is_running);
                self.is_running = true;
                // Where it did not run, nothing is missing.
                self.last_minute = None;
            }
            Some(b"stop") => self.is_running = false,
            _ => {}
        }
    }

    fn gap(&mut self, before_record: u64, from_unix_s: i64, minutes: u64) {
        if self.findings.gaps.len() < GAPS_MAX {
            self.findings.gaps.push(Gap { before_record, from_unix_s, minutes });
        } else {
            self.findings.gaps_more += 1;
        }
    }
}

/// The kind of a record, from its canonical bytes.
fn kind_of(record: &[u8]) -> Option<&[u8]> {
    let rest = after(record, b"\"kind\":\"")?;
    rest.split(|byte| *byte == b'"').next()
}

fn minute_of(record: &[u8]) -> Option<i64> {
    let rest = after(record, b"\"minute_unix_s\":")?;
    let digits = rest.split(|byte| !matches!(byte, b'-' | b'0'..=b'9')).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What comes after the first `words`. A quote within a text is escaped, so that a text never looks
/// like a name.
fn after<'a>(record: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let at = record.windows(words.len()).position(|window| window == words)?;
    record.get(at + words.len()..)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::Timestamp;

    use super::*;
    use crate::record::{Fact, MinuteSummary, Origin, Start, Stop};

    fn record(fact: Fact) -> Vec<u8> {
        let origin = Origin::new(Timestamp::new(Duration::ZERO, 0), [1; 8]);
        origin.record(origin.started, fact).to_bytes().unwrap()
    }

    fn minute(number: i64) -> Vec<u8> {
        record(Fact::Minute(MinuteSummary { minute_unix_s: number * 60, ..MinuteSummary::default() }))
    }

    fn check(records: &[Vec<u8>]) -> LogFindings {
        let mut check = LogCheck::default();
        check.records(records.iter().map(Vec::as_slice), None, |_, _| true);
        let checkpoint =
            Checkpoint { origin: "o".into(), size: records.len() as u64, root: check.edge().root() };
        check.finish(&checkpoint)
    }

    #[test]
    fn gaps_are_those_of_a_running_server() {
        let start = || record(Fact::Start(Start::default()));
        let stop =
            || record(Fact::Stop(Stop { reason: "x\",\"kind\":\"minute\",\"minute_unix_s\":1".into() }));
        let found =
            check(&[start(), minute(10), minute(11), minute(14), stop(), start(), minute(99), minute(98)]);
        assert_eq!(found.gaps, [Gap { before_record: 3, from_unix_s: 720, minutes: 2 }]);
        assert_eq!((found.clock_back, found.ended_by_force, found.fault), (1, 0, None));
        assert_eq!(check(&[start(), minute(1), start()]).ended_by_force, 1);
    }

    #[test]
    fn the_first_changed_record_is_named() {
        let records: Vec<_> = (0..300).map(minute).collect();
        let mut edge = RightEdge::default();
        let mut tiles: Vec<Vec<u8>> = Vec::new();
        for record in &records {
            edge.push(leaf_hash(record), |tile, hashes| {
                if tile.level == 0 {
                    tiles.push(hashes.iter().flat_map(|hash| hash.0).collect());
                }
            });
        }
        for (tile, hashes) in edge.partial_tiles() {
            if tile.level == 0 {
                tiles.push(hashes.iter().flat_map(|hash| hash.0).collect());
            }
        }
        let checkpoint = Checkpoint { origin: "o".into(), size: 300, root: edge.root() };
        let run = |records: &[Vec<u8>], tiles: &[Vec<u8>]| {
            let mut check = LogCheck::default();
            for (records, tile) in records.chunks(256).zip(tiles) {
                check.records(records.iter().map(Vec::as_slice), Some(tile), |_, _| true);
            }
            check.finish(&checkpoint).fault
        };
        assert_eq!(run(&records, &tiles), None);
        for changed in [0, 255, 256, 299] {
            let mut others = records.clone();
            others[changed] = minute(1_000);
            let fault = run(&others, &tiles).unwrap();
            assert_eq!(fault.record, Some(changed as u64), "{}", fault.what);
        }
        let mut others = records.clone();
        others.swap(7, 8);
        assert_eq!(run(&others, &tiles).unwrap().record, Some(7));
        assert!(run(&records[..299], &tiles).is_some(), "one is missing at the end");
        let mut both = tiles.clone();
        both[0][5] ^= 1;
        assert_eq!(run(&records, &both).unwrap().record, Some(0));
    }
}
