//! Likelihood in words, always with its number, and confidence apart from it (ICD 203, D.6.e).
//!
//! How likely something is and how good the data is are two things. They are never said in one sentence.

use serde::Serialize;

use crate::facts::Coverage;

/// How likely something is, in thousandths, from 1 % to 99 %: records never make anything certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Likelihood(u16);

impl Likelihood {
    /// Brought within 1 % and 99 %.
    #[must_use]
    pub fn from_permille(permille: u16) -> Self {
        Self(permille.clamp(10, 990))
    }

    /// In thousandths.
    #[must_use]
    pub fn permille(self) -> u16 {
        self.0
    }

    /// In hundredths, rounded.
    #[must_use]
    pub fn percent(self) -> u16 {
        (self.0 + 5) / 10
    }

    /// The word of ICD 203 for its rounded number, so that word and number never disagree.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self.percent() {
            0..5 => "almost no chance",
            5..20 => "very unlikely",
            20..45 => "unlikely",
            45..=55 => "roughly even chance",
            56..=80 => "likely",
            81..=95 => "very likely",
            96.. => "almost certain",
        }
    }

    /// That something is so likely, as a sentence without its full stop: `It is likely (70 %) that ...`.
    #[must_use]
    pub fn of(self, that: &str) -> String {
        let word = self.word();
        match word {
            "roughly even chance" => format!("There is a {word} ({} %) that {that}", self.percent()),
            "almost no chance" => format!("There is {word} ({} %) that {that}", self.percent()),
            word => format!("It is {word} ({} %) that {that}", self.percent()),
        }
    }

    /// The same word in Spanish.
    #[must_use]
    pub fn word_in_spanish(self) -> &'static str {
        match self.percent() {
            0..5 => "casi imposible",
            5..20 => "muy improbable",
            20..45 => "improbable",
            45..=55 => "tan probable como improbable",
            56..=80 => "probable",
            81..=95 => "muy probable",
            96.. => "casi seguro",
        }
    }
}

/// How far a judgement can be relied on: only how good the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Much is missing.
    Low,
    /// Nearly all is there, from one source.
    Moderate,
    /// All is there, and somebody else saw it too.
    High,
}

/// How good the data behind a judgement is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DataQuality {
    /// Of the minutes in question those on record, in thousandths.
    pub coverage_permille: u64,
    /// Records that the sensor says it dropped.
    pub dropped: u64,
    /// Whether the clock was kept right.
    pub clock_is_good: bool,
    /// Sources that saw it independently: this server's records, probes from outside, others' reports.
    pub independent_sources: u32,
}

impl DataQuality {
    /// Out of what is on record.
    #[must_use]
    pub fn of(coverage: &Coverage, is_probed: bool) -> Self {
        Self {
            coverage_permille: coverage.permille(),
            dropped: coverage.dropped,
            clock_is_good: coverage.clock_is_good,
            independent_sources: u32::from(coverage.recorded > 0) + u32::from(is_probed),
        }
    }

    /// A fixed function: low where less than nine tenths are on record or nothing saw it; high where all is
    /// on record, nothing was dropped, the clock was right and two sources saw it; moderate otherwise.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        let is_healthy = self.dropped == 0 && self.clock_is_good;
        if self.coverage_permille < 900 || self.independent_sources == 0 {
            Confidence::Low
        } else if self.coverage_permille == 1000 && is_healthy && self.independent_sources >= 2 {
            Confidence::High
        } else {
            Confidence::Moderate
        }
    }

    /// Why it is no higher, in words; empty where it is high.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.coverage_permille < 1000 {
            words.push(format!("{} % of the minutes are on record", self.coverage_permille / 10));
        }
        if self.dropped > 0 {
            words.push(format!("the sensor dropped {} records", self.dropped));
        }
        if !self.clock_is_good && self.independent_sources > 0 {
            words.push("nothing is known to have kept the clock right, or it was set".to_owned());
        }
        match self.independent_sources {
            0 => words.push("there is no record of that time".to_owned()),
            1 => words.push("the records are of one source alone".to_owned()),
            _ => {}
        }
        words
    }
}

impl Confidence {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Moderate => "moderate",
            Self::High => "high",
        }
    }

    /// The same in Spanish.
    #[must_use]
    pub fn word_in_spanish(self) -> &'static str {
        match self {
            Self::Low => "baja",
            Self::Moderate => "moderada",
            Self::High => "alta",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_icd_203() {
        let check = |permille: u16, word: &str| {
            assert_eq!(Likelihood::from_permille(permille).word(), word, "{permille}");
        };
        for (permille, word) in [
            (0, "almost no chance"),
            (44, "almost no chance"),
            (50, "very unlikely"),
            (194, "very unlikely"),
            (200, "unlikely"),
            (450, "roughly even chance"),
            (550, "roughly even chance"),
            (560, "likely"),
            (804, "likely"),
            (806, "very likely"),
            (950, "very likely"),
            (960, "almost certain"),
            (1000, "almost certain"),
        ] {
            check(permille, word);
        }
    }

    #[test]
    fn confidence_is_how_good_the_data_is() {
        let all =
            DataQuality { coverage_permille: 1000, dropped: 0, clock_is_good: true, independent_sources: 2 };
        let check =
            |quality: DataQuality, confidence: Confidence| assert_eq!(quality.confidence(), confidence);
        check(all.clone(), Confidence::High);
        check(DataQuality { independent_sources: 1, ..all.clone() }, Confidence::Moderate);
        check(DataQuality { coverage_permille: 999, ..all.clone() }, Confidence::Moderate);
        check(DataQuality { dropped: 1, ..all.clone() }, Confidence::Moderate);
        check(DataQuality { clock_is_good: false, ..all.clone() }, Confidence::Moderate);
        check(DataQuality { coverage_permille: 899, ..all.clone() }, Confidence::Low);
        check(DataQuality { independent_sources: 0, ..all }, Confidence::Low);
    }

    proptest! {
        #[test]
        fn more_is_never_less_and_what_is_against_mirrors_it(one in 0_u16..=1000, other in 0_u16..=1000) {
            let rank = |likelihood: Likelihood| {
                ["almost no chance", "very unlikely", "unlikely", "roughly even chance", "likely", "very likely", "almost certain"]
                    .iter().position(|word| *word == likelihood.word()).unwrap()
            };
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(rank(Likelihood::from_permille(low)) <= rank(Likelihood::from_permille(high)));
            let percent = Likelihood::from_permille(one).percent();
            let against = Likelihood::from_permille(1000 - percent * 10);
            prop_assert_eq!(rank(Likelihood::from_permille(percent * 10)) + rank(against), 6);
        }
    }
}
