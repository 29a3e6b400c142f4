//! What is left beyond a log's checkpoint by a process that was ended while it wrote.

use std::path::Path;

use floodwall_evidence::TILE_WIDTH;

use crate::EvidenceError;
use crate::directory::UNFINISHED;

const WIDTH: u64 = TILE_WIDTH as u64;

/// Removes every file below `tile/` that does not belong to a log of `size` records; how many.
///
/// A partial file that became full belongs still: it is what the checkpoint was made of.
pub(crate) fn cut(log: &Path, size: u64) -> Result<u64, EvidenceError> {
    let tiles = log.join("tile");
    let mut removed = 0;
    let mut waiting = if tiles.is_dir() { vec![tiles.clone()] } else { Vec::new() };
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).map_err(EvidenceError::file(&folder))? {
            let path = entry.map_err(EvidenceError::file(&folder))?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let relative = path.strip_prefix(&tiles).ok().and_then(Path::to_str).unwrap_or_default();
            if !belongs(relative, size) {
                std::fs::remove_file(&path).map_err(EvidenceError::file(&path))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Whether `0/x001/234.p/7` or `entries/...` is a file of a log of `size` records.
fn belongs(path: &str, size: u64) -> bool {
    if path.ends_with(UNFINISHED) {
        return false;
    }
    let Some((kind, number)) = path.split_once('/') else { return false };
    let level = match kind {
        "entries" => 0,
        level => match level.parse::<u32>() {
            Ok(level) => level,
            Err(_) => return false,
        },
    };
    let (number, width) = match number.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|width| (1..WIDTH).contains(width))),
        None => (number, Some(WIDTH)),
    };
    let mut groups =
        number.split('/').map(|group| group.strip_prefix('x').unwrap_or(group).parse::<u64>().ok());
    let index = groups.try_fold(0_u64, |sum, group| sum.checked_mul(1000)?.checked_add(group?));
    let (Some(index), Some(width), Some(span)) = (index, width, WIDTH.checked_pow(level)) else {
        return false;
    };
    let hashes = size / span;
    let end = index.checked_mul(WIDTH).and_then(|start| start.checked_add(width));
    match end {
        Some(end) if width == WIDTH => end <= hashes,
        Some(end) => end == hashes && index == hashes / WIDTH,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_log_are_told_from_leftovers() {
        for (path, size, belongs_to_it) in [
            ("0/000.p/5", 5, true),
            ("0/000.p/4", 5, false),
            ("0/000.p/6", 5, false),
            ("0/000", 256, true),
            ("0/000", 255, false),
            ("0/001.p/1", 257, true),
            ("0/000.p/1", 257, false),
            ("1/000.p/1", 300, true),
            ("1/000.p/2", 300, false),
            ("entries/000", 300, true),
            ("entries/001.p/44", 300, true),
            ("entries/001", 300, false),
            ("entries/001.p/44.new", 300, false),
            ("entries/x001/000.p/1", 256_001, true),
            ("0/what", 300, false),
            ("else", 300, false),
        ] {
            assert_eq!(belongs(path, size), belongs_to_it, "{path} of {size}");
        }
    }
}
