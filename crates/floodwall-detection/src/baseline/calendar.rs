//! What the office knows beforehand: elections, deadlines, holidays.

/// One entry of the calendar.
#[derive(Clone, Debug, PartialEq)]
pub struct CalendarEntry {
    /// From, in seconds since 1970.
    pub from_unix_s: i64,
    /// Until, not included.
    pub until_unix_s: i64,
    /// What it is.
    pub occasion: Occasion,
    /// Its name, as people call it; at most 200 characters.
    pub name: String,
}

/// What an entry announces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Occasion {
    /// So many times the usual traffic, at the most.
    Expect(f64),
    /// A day on which people behave as on a Sunday.
    Holiday,
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CalendarError {
    /// Its end is not after its beginning.
    #[error("`{0}` ends before it begins; give a later end")]
    EndsFirst(String),
    /// The factor is no factor.
    #[error("`{0}` expects {1} times the usual traffic; give a number from 1 to 1000")]
    Factor(String, f64),
    /// Too many entries.
    #[error("the calendar is full ({0} entries); take out what is over")]
    Full(usize),
}

/// The calendar of one site: at most 1,000 entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    entries: Vec<CalendarEntry>,
}

impl Calendar {
    /// Entries at the most.
    pub const ENTRIES_MAX: usize = 1_000;

    /// Adds an entry.
    ///
    /// # Errors
    /// Where it ends before it begins, its factor is not from 1 to 1000, or the calendar is full.
    pub fn add(&mut self, mut entry: CalendarEntry) -> Result<(), CalendarError> {
        entry.name = entry.name.chars().take(200).collect();
        if entry.until_unix_s <= entry.from_unix_s {
            return Err(CalendarError::EndsFirst(entry.name));
        }
        if let Occasion::Expect(factor) = entry.occasion
            && !(1.0..=1_000.0).contains(&factor)
        {
            return Err(CalendarError::Factor(entry.name, factor));
        }
        if self.entries.len() >= Self::ENTRIES_MAX {
            return Err(CalendarError::Full(self.entries.len()));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[CalendarEntry] {
        &self.entries
    }

    /// How many times the usual traffic is announced at a moment; 1 where nothing is.
    #[must_use]
    pub fn factor(&self, unix_s: i64) -> f64 {
        self.at(unix_s)
            .filter_map(|entry| match entry.occasion {
                Occasion::Expect(factor) => Some(factor),
                Occasion::Holiday => None,
            })
            .fold(1.0, f64::max)
    }

    /// The moment whose habits hold at this one: the Sunday of the same week on a holiday, itself
    /// otherwise.
    #[must_use]
    pub fn habits_of(&self, unix_s: i64, utc_offset_s: i32) -> i64 {
        if !self.at(unix_s).any(|entry| entry.occasion == Occasion::Holiday) {
            return unix_s;
        }
        // 1 January 1970 was a Thursday; Sunday is three days later.
        let day = unix_s.saturating_add(i64::from(utc_offset_s)).div_euclid(86_400).rem_euclid(7);
        let to_sunday = (3 - day).rem_euclid(7);
        unix_s.saturating_add(to_sunday * 86_400)
    }

    fn at(&self, unix_s: i64) -> impl Iterator<Item = &CalendarEntry> {
        self.entries.iter().filter(move |entry| (entry.from_unix_s..entry.until_unix_s).contains(&unix_s))
    }
}
