//! Posts and lists in which somebody may claim an attack: exports of Telegram Desktop, RSS and Atom, tables,
//! published lists of targets.
//!
//! Only the format is read here: who posted what where and when. What it claims is for others to say. All
//! of it was written by strangers: markup is taken out, nothing is fetched, and whatever is longer or more
//! than it may be is refused or counted. What was read before a fault is kept.

mod encoding;
mod feed;
mod json;
mod markup;
mod table;
mod target_list;
mod telegram;
#[cfg(test)]
mod tests;

use std::io::BufRead;

pub use encoding::decode;
pub use table::Row;
pub use target_list::ListedTarget;

/// Bytes of one message or entry at most.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a file that is not read as a stream at most.
pub const WHOLE_BYTES_MAX: usize = 64 << 20;
/// Links of one post that are kept.
pub const LINKS_MAX: usize = 512;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFormat {
    /// `result.json` of Telegram Desktop, of one chat or of all.
    Telegram,
    /// RSS 0.9 to 2.0, and Atom.
    Feed,
    /// Comma, semicolon or tab separated, with names of columns in its first line.
    Csv,
    /// A list of targets: the JSON of DDoSia, or one host a line.
    Targets,
}

impl ClaimFormat {
    /// Every format, with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Telegram, "telegram"), (Self::Feed, "feed"), (Self::Csv, "csv"), (Self::Targets, "targets")];

    /// By the beginning of a file; `None` where it does not say.
    #[must_use]
    pub fn detect(beginning: &[u8]) -> Option<Self> {
        let text = decode(beginning, None);
        let text = text.trim_start();
        if text.starts_with('<') {
            return Some(Self::Feed);
        }
        if text.starts_with('{') {
            let has = |key: &str| text.contains(&format!("\"{key}\""));
            if has("messages") || has("chats") {
                return Some(Self::Telegram);
            }
            return (has("targets") || has("randoms")).then_some(Self::Targets);
        }
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        if lines().next().is_some_and(table::is_heading) {
            return Some(Self::Csv);
        }
        let is_host = |line: &str| line.contains('.') && !line.contains(char::is_whitespace);
        (lines().next().is_some() && lines().take(20).all(is_host)).then_some(Self::Targets)
    }
}

/// When something was posted, as far as the file says: a second that lies between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostTime {
    /// Not before this, in seconds since 1970.
    pub earliest_unix_s: i64,
    /// Not after this.
    pub latest_unix_s: i64,
}

impl PostTime {
    /// Known to the second.
    #[must_use]
    pub fn second(unix_s: i64) -> Self {
        Self { earliest_unix_s: unix_s, latest_unix_s: unix_s }
    }
}

/// One post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The channel or feed, as it calls itself; empty where it does not.
    pub channel: String,
    /// Who wrote it, where that is somebody else: a forwarded post's source, an entry's author.
    pub author: Option<String>,
    /// Its number or address.
    pub reference: Option<String>,
    /// When it was posted.
    pub posted: PostTime,
    /// When it was last edited, in seconds since 1970; `None` where it was not.
    pub edited_unix_s: Option<i64>,
    /// What it says, as plain text.
    pub text: String,
    /// Addresses it links to.
    pub links: Vec<String>,
}

/// What was read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A post.
    Post(Post),
    /// A row of a table.
    Row(Row),
    /// An entry of a list of targets.
    Target(ListedTarget),
}

/// How much of a file was passed over, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Entries that were handed over.
    pub taken: u64,
    /// Entries that say nothing: service messages, empty lines.
    pub empty: u64,
    /// Entries whose time is missing or cannot be read.
    pub without_time: u64,
    /// Entries that are none of this format.
    pub unreadable: u64,
}

/// Why reading ended before the file did. What was handed over before stands.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// The file could not be read.
    #[error("the file could not be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is not what it was taken for.
    #[error("it is no {format} file: {why}")]
    Format {
        /// The format's name.
        format: &'static str,
        /// What is wrong, and where.
        why: String,
    },
    /// It is too long to be read as a whole.
    #[error("it is longer than 64 MiB; cut it into parts")]
    TooLong,
}

/// Reads a file and hands over each entry; what was passed over is counted in `counts`.
///
/// # Errors
/// [`ImportFault`]; what was handed over before stands.
pub fn read(
    format: ClaimFormat,
    reader: impl BufRead,
    encoding: Option<&str>,
    counts: &mut ReadCounts,
    mut take: impl FnMut(Item),
) -> Result<(), ImportFault> {
    match format {
        ClaimFormat::Telegram => telegram::read(reader, counts, &mut |post| take(Item::Post(post))),
        ClaimFormat::Feed => {
            feed::read(&whole(reader, encoding)?, counts, &mut |post| take(Item::Post(post)))
        }
        ClaimFormat::Csv => table::read(&whole(reader, encoding)?, counts, &mut |row| take(Item::Row(row))),
        ClaimFormat::Targets => {
            target_list::read(&whole(reader, encoding)?, counts, &mut |target| take(Item::Target(target)))
        }
    }
}

fn whole(reader: impl BufRead, encoding: Option<&str>) -> Result<String, ImportFault> {
    let mut bytes = Vec::new();
    let max = u64::try_from(WHOLE_BYTES_MAX).unwrap_or(u64::MAX);
    std::io::Read::read_to_end(&mut std::io::Read::take(reader, max + 1), &mut bytes)?;
    if bytes.len() > WHOLE_BYTES_MAX {
        return Err(ImportFault::TooLong);
    }
    Ok(decode(&bytes, encoding))
}

/// Keeps at most so many bytes of a text.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mut end = bytes_max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
