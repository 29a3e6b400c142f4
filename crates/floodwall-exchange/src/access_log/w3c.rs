//! The W3C Extended Log File Format (<https://www.w3.org/TR/WD-logfile>), as IIS and CloudFront write
//! it. Lines that begin with `#` say what follows; `#Fields` names the columns. Times are in UTC.

use super::lines::{address, given, number, seconds, status};
use super::record::{LineFault, LogRecord};
use super::{combined, times};

/// Columns of one line.
const COLUMNS_MAX: usize = 64;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Date,
    Time,
    Client,
    ForwardedFor,
    Method,
    Path,
    Query,
    Target,
    Host,
    Status,
    Bytes,
    TimeTaken,
    Cache,
    Referer,
    UserAgent,
    Other,
}

/// The columns a file has named so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// Of `#Date`, for files whose lines have the time only.
    date: Option<(i64, i64, i64)>,
    /// IIS counts milliseconds; others, as the draft says, seconds.
    is_iis: bool,
}

impl Columns {
    /// Whether `#Fields` was read.
    pub(super) fn are_known(&self) -> bool {
        !self.columns.is_empty()
    }

    /// A line that begins with `#`.
    pub(super) fn directive(&mut self, line: &[u8]) {
        let Some((name, value)) = super::lines::cut(line, b':') else { return };
        match name {
            b"#Fields" => {
                let names = value.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty());
                self.columns = names.take(COLUMNS_MAX).map(column).collect();
            }
            b"#Date" => {
                self.date = value.trim_ascii().get(..10).and_then(times::date).or(self.date);
            }
            b"#Software" => {
                self.is_iis = memchr::memmem::find(value, b"Internet Information").is_some();
            }
            _ => {}
        }
    }

    pub(super) fn read<'a>(&self, line: &'a [u8]) -> Result<LogRecord<'a>, LineFault> {
        if !self.are_known() {
            return Err(LineFault::NoFields);
        }
        // The time is known when all columns were seen.
        let mut record = LogRecord::new(0, std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let (mut date, mut time, mut client) = (self.date, None, None);
        // CloudFront divides by tabs and has spaces in nothing; IIS writes a plus for a space.
        let divider = if memchr::memchr(b'\t', line).is_some() { b'\t' } else { b' ' };
        let mut values = line.split(|byte| *byte == divider);
        for column in &self.columns {
            let value = values.next().ok_or(LineFault::Form)?;
            let text = given(value);
            match column {
                Column::Date => date = Some(times::date(value).ok_or(LineFault::Time)?),
                Column::Time => time = Some(value),
                Column::Client => client = address(value),
                Column::ForwardedFor => record.forwarded_for = text,
                Column::Method => record.method = text.unwrap_or(b""),
                Column::Path => record.path = text.unwrap_or(b""),
                Column::Query => record.query = text,
                Column::Target => record.set_target(text.unwrap_or(b"")),
                Column::Host => record.host = text.or(record.host),
                Column::Status => record.status = status(value),
                Column::Bytes => record.body_bytes = number(value),
                Column::TimeTaken => record.duration_us = self.taken(value),
                Column::Cache => record.origin = combined::cache_status(value),
                Column::Referer => record.referer = text,
                Column::UserAgent => record.user_agent = text,
                Column::Other => {}
            }
        }
        if values.next().is_some() {
            return Err(LineFault::Form);
        }
        let (date, time) = date.zip(time).ok_or(LineFault::Time)?;
        let time = times::date_and_clock(date, time).ok_or(LineFault::Time)?;
        record.unix_micros = time.unix_micros;
        record.within_second = time.within_second;
        record.client = client.ok_or(LineFault::Client)?;
        Ok(record)
    }

    fn taken(&self, value: &[u8]) -> Option<u64> {
        if self.is_iis { number(value)?.checked_mul(1_000) } else { seconds(value) }
    }
}

fn column(name: &[u8]) -> Column {
    match name.to_ascii_lowercase().as_slice() {
        b"date" => Column::Date,
        b"time" => Column::Time,
        b"c-ip" => Column::Client,
        b"x-forwarded-for" | b"cs(x-forwarded-for)" => Column::ForwardedFor,
        b"cs-method" => Column::Method,
        b"cs-uri-stem" => Column::Path,
        b"cs-uri-query" => Column::Query,
        b"cs-uri" => Column::Target,
        b"cs-host" | b"cs(host)" | b"x-host-header" => Column::Host,
        b"sc-status" => Column::Status,
        b"sc-bytes" => Column::Bytes,
        b"time-taken" => Column::TimeTaken,
        b"x-edge-result-type" => Column::Cache,
        b"cs(referer)" => Column::Referer,
        b"cs(user-agent)" => Column::UserAgent,
        _ => Column::Other,
    }
}
