//! Claims as a table: comma, semicolon or tab separated, with the names of columns in the first line.

use super::{ENTRY_BYTES_MAX, ImportFault, ReadCounts, cut};

/// Rows of one table at most.
const ROWS_MAX: u64 = 1_000_000;

/// One row; a column that the table does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// `claimant`, `actor`, `group`.
    pub claimant: String,
    /// `channel`, `source`, `feed`.
    pub channel: String,
    /// `reference`, `post`, `id`, `url`, `link`.
    pub reference: String,
    /// `posted`, `date`, `time`, `published`: as it stands there.
    pub posted: String,
    /// `text`, `claim`, `message`.
    pub text: String,
    /// `targets`, `target`, `host`, `victim`, `domain`: each host or address in it.
    pub targets: Vec<String>,
    /// `method`, `methods`: each word in it.
    pub methods: Vec<String>,
    /// `effect`.
    pub effect: String,
    /// `from`, `start`.
    pub from: String,
    /// `until`, `end`.
    pub until: String,
}

/// The places of columns, by any of their names.
const COLUMNS: [(Column, &[&str]); 10] = [
    (Column::Claimant, &["claimant", "actor", "group", "threat_actor"]),
    (Column::Channel, &["channel", "source", "feed"]),
    (Column::Reference, &["reference", "post", "id", "url", "link", "post_id"]),
    (Column::Posted, &["posted", "date", "time", "published", "timestamp"]),
    (Column::Text, &["text", "claim", "message", "description"]),
    (Column::Targets, &["targets", "target", "host", "victim", "domain", "hosts"]),
    (Column::Methods, &["method", "methods"]),
    (Column::Effect, &["effect"]),
    (Column::From, &["from", "start"]),
    (Column::Until, &["until", "end"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Claimant,
    Channel,
    Reference,
    Posted,
    Text,
    Targets,
    Methods,
    Effect,
    From,
    Until,
}

fn column(name: &str) -> Option<Column> {
    let name = name.trim_start_matches('\u{FEFF}').trim().to_lowercase().replace([' ', '-'], "_");
    COLUMNS.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(column, _)| *column)
}

/// Whether a line names columns of such a table.
pub(super) fn is_heading(line: &str) -> bool {
    let names: Vec<_> =
        line.split(delimiter(line)).map(|name| column(name.trim().trim_matches('"'))).collect();
    let has = |wanted: Column| names.contains(&Some(wanted));
    has(Column::Posted) && (has(Column::Targets) || has(Column::Text))
}

fn delimiter(line: &str) -> char {
    let count = |delimiter: char| line.matches(delimiter).count();
    [',', ';', '\t'].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(',')
}

pub(super) fn read(
    text: &str,
    counts: &mut ReadCounts,
    take: &mut dyn FnMut(Row),
) -> Result<(), ImportFault> {
    let fault = |why: String| ImportFault::Format { format: "table", why };
    let heading = text.lines().next().unwrap_or_default();
    if !is_heading(heading) {
        return Err(fault(
            "its first line must name the columns, with `posted`, and `targets` or `text` among them"
                .to_owned(),
        ));
    }
    let delimiter = u8::try_from(delimiter(heading)).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let columns: Vec<Option<Column>> =
        reader.headers().map_err(|error| fault(error.to_string()))?.iter().map(column).collect();
    for record in reader.records() {
        let Ok(record) = record else {
            counts.unreadable += 1;
            continue;
        };
        let mut row = Row::default();
        for (value, column) in record.iter().zip(&columns) {
            let Some(column) = column else { continue };
            row.set(*column, value.trim());
        }
        if row.text.is_empty() && row.targets.is_empty() {
            counts.empty += 1;
        } else if row.posted.is_empty() {
            counts.without_time += 1;
        } else {
            counts.taken += 1;
            take(row);
        }
        if counts.taken >= ROWS_MAX {
            return Err(fault("it has more than 1,000,000 rows".to_owned()));
        }
    }
    Ok(())
}

impl Row {
    fn set(&mut self, column: Column, value: &str) {
        let list = || {
            let parts = value.split(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '|'));
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let text = || cut(value.to_owned(), ENTRY_BYTES_MAX);
        match column {
            Column::Claimant => self.claimant = text(),
            Column::Channel => self.channel = text(),
            Column::Reference => self.reference = text(),
            Column::Posted => self.posted = text(),
            Column::Text => self.text = text(),
            Column::Targets => self.targets = list(),
            Column::Methods => self.methods = list(),
            Column::Effect => self.effect = text(),
            Column::From => self.from = text(),
            Column::Until => self.until = text(),
        }
    }
}
