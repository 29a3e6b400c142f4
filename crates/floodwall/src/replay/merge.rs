//! Many log files as one: those that cover the same time are read side by side.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use floodwall_exchange::access_log::CountRecord;

use super::files::LogFile;
use super::order::{Order, Seconds};
use super::source::{ReadOptions, Source};
use super::tally::Tally;

/// Files that are open at once; each takes a thread and up to two megabytes.
const OPEN_MAX: usize = 64;

/// How far one file is read ahead of another, in microseconds: much less than [`Order`] waits.
const AHEAD: i64 = 10 * 1_000_000;

/// What reading all files came to.
pub(crate) struct Read {
    /// Each file's lines, in the order in which the files were given.
    pub(crate) tallies: Vec<Tally>,
    /// Rows of plain counts, as they came.
    pub(crate) counts: Vec<CountRecord>,
    /// Requests that came too late to be put in order.
    pub(crate) late: u64,
    /// Requests left out because their second had too many.
    pub(crate) crowded_out: u64,
}

/// Reads the files and gives their requests to `sink`, second by second. `progress` is called now and
/// then.
///
/// # Errors
/// The system gives no thread to read with.
pub(crate) fn read_all(
    files: &[LogFile],
    options: &ReadOptions,
    read_bytes: &Arc<AtomicU64>,
    sink: &mut impl Seconds,
    mut progress: impl FnMut(),
) -> io::Result<Read> {
    let mut waiting = by_first_time(files, options);
    let mut open: Vec<(usize, Source)> = Vec::new();
    let mut tallies: Vec<(usize, Tally)> = Vec::new();
    let (mut counts, mut order) = (Vec::new(), Order::new());
    loop {
        open_next(&mut open, &mut waiting, |file| Source::open(file, options, read_bytes))?;
        // The source that is furthest back, and how far it may be read before another's turn.
        let mut furthest_back: Option<(usize, i64)> = None;
        let mut until = match waiting.last() {
            Some((first, ..)) if open.len() < OPEN_MAX => *first,
            _ => i64::MAX,
        };
        let mut place = 0;
        while let Some((number, source)) = open.get_mut(place) {
            let Some(time) = source.peek().map(|event| event.unix_micros) else {
                let number = *number;
                let (_, mut source) = open.swap_remove(place);
                counts.append(&mut source.take_counts());
                tallies.push((number, source.into_tally()));
                continue;
            };
            match furthest_back {
                Some((_, earliest)) if time >= earliest => until = until.min(time),
                Some((_, earliest)) => {
                    until = until.min(earliest);
                    furthest_back = Some((place, time));
                }
                None => furthest_back = Some((place, time)),
            }
            place += 1;
        }
        progress();
        let Some((_, source)) = furthest_back.and_then(|(place, _)| open.get_mut(place)) else {
            if waiting.is_empty() {
                break;
            }
            continue;
        };
        let until = until.saturating_add(AHEAD);
        let mut taken = 0_u32;
        while let Some(event) = source.peek().copied().filter(|event| event.unix_micros <= until) {
            source.advance();
            order.push(event, sink);
            taken = taken.wrapping_add(1);
            if taken.is_multiple_of(4_096) {
                progress();
            }
        }
    }
    order.finish(sink);
    tallies.sort_by_key(|(number, _)| *number);
    let tallies = tallies.into_iter().map(|(_, tally)| tally).collect();
    Ok(Read { tallies, counts, late: order.late, crowded_out: order.crowded_out })
}

/// Opens the files whose time has come: all that begin before what is open has been read so far.
fn open_next(
    open: &mut Vec<(usize, Source)>,
    waiting: &mut Vec<(i64, usize, &LogFile)>,
    mut begin: impl FnMut(&LogFile) -> io::Result<Source>,
) -> io::Result<()> {
    while open.len() < OPEN_MAX {
        let earliest = open.iter_mut().filter_map(|(_, source)| source.peek()).map(|event| event.unix_micros);
        let reached = earliest.min();
        let Some((first, number, file)) = waiting.last() else { break };
        if reached.is_some_and(|reached| *first > reached) {
            break;
        }
        open.push((*number, begin(file)?));
        waiting.pop();
    }
    Ok(())
}

/// The files by where they begin, latest first; those of which that is not known come first of all.
fn by_first_time<'a>(files: &'a [LogFile], options: &ReadOptions) -> Vec<(i64, usize, &'a LogFile)> {
    let first = |file: &LogFile| match files {
        // Nothing to compare with; and standard input is read only once.
        [_] => None,
        _ if file.is_standard_input() => None,
        _ => options.first_time(file),
    };
    let mut sorted: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(number, file)| (first(file).unwrap_or(i64::MIN), number, file))
        .collect();
    sorted.sort_by_key(|(first, number, _)| std::cmp::Reverse((*first, *number)));
    sorted
}
