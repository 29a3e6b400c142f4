//! What comes of a replay: the sink of all requests, and what is known at its end.

use std::net::IpAddr;

use floodwall_policy::Rung;

use super::addresses::Addresses;
use super::admission::{AdmissionCounts, AdmissionOptions, AdmissionReplay};
use super::counts::Counts;
use super::episode::Episode;
use super::event::Event;
use super::merge::Read;
use super::minutes::MinuteCounts;
use super::order::Seconds;
use super::series::Series;
use super::tally::Tally;

/// Takes the requests of all logs, second by second.
pub(crate) struct Replayed {
    admission_options: AdmissionOptions,
    admission: Option<AdmissionReplay>,
    addresses: Addresses,
    series: Series,
    requests: u64,
    span_micros: Option<(i64, i64)>,
}

/// What is known at the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tallies: Vec<Tally>,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) late: u64,
    pub(crate) crowded_out: u64,
    /// Rows of plain counts left out because there were access logs too.
    pub(crate) counts_left_out: u64,
    /// First and last request, microseconds since 1970.
    pub(crate) span_micros: Option<(i64, i64)>,
    pub(crate) series: Series,
    /// What detection said.
    pub(crate) episodes: Vec<Episode>,
    /// Addresses that are proxies by the look of it.
    pub(crate) proxies: Vec<IpAddr>,
    /// `None` where there were counts only.
    pub(crate) admission: Option<AdmissionOutcome>,
}

/// What admission would have done.
#[derive(Debug)]
pub(crate) struct AdmissionOutcome {
    pub(crate) options: AdmissionOptions,
    pub(crate) counts: AdmissionCounts,
    pub(crate) latencies_from_log: u64,
    pub(crate) rung_max: Rung,
    pub(crate) worst: Vec<MinuteCounts>,
}

impl Replayed {
    pub(crate) fn new(admission: AdmissionOptions) -> Self {
        Self {
            admission: None,
            admission_options: admission,
            addresses: Addresses::default(),
            series: Series::new(),
            requests: 0,
            span_micros: None,
        }
    }

    /// All has been read.
    pub(crate) fn finish(mut self, read: Read, bytes: u64) -> Outcome {
        let mut counts_left_out = 0;
        if self.requests == 0 {
            self.take_counts(&Counts::new(read.counts));
        } else {
            counts_left_out = u64::try_from(read.counts.len()).unwrap_or(u64::MAX);
        }
        let admission = self.admission.map(|mut replayed| AdmissionOutcome {
            counts: replayed.finish(),
            options: self.admission_options,
            latencies_from_log: replayed.latencies_from_log(),
            rung_max: replayed.rung_max,
            worst: replayed.worst.worst().to_vec(),
        });
        Outcome {
            tallies: read.tallies,
            bytes,
            requests: self.requests,
            late: read.late,
            crowded_out: read.crowded_out,
            counts_left_out,
            span_micros: self.span_micros,
            series: self.series,
            episodes: Vec::new(),
            proxies: self.addresses.proxies(),
            admission,
        }
    }
}

impl Replayed {
    fn take_counts(&mut self, counts: &Counts) {
        let (Some(first), Some(last)) = (counts.rows.first(), counts.rows.last()) else { return };
        self.span_micros = Some((first.unix_micros, last.unix_micros + counts.period_s * 1_000_000));
        self.requests = counts.requests();
        for row in &counts.rows {
            let per_second = row.count / u64::try_from(counts.period_s).unwrap_or(1).max(1);
            self.series.add_span(row.unix_micros.div_euclid(1_000_000), row.count, per_second, None);
        }
    }
}

impl Seconds for Replayed {
    fn second(&mut self, unix_s: i64, events: &mut [Event]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let begin = self.span_micros.map_or(first.unix_micros, |(begin, _)| begin);
        self.span_micros = Some((begin, last.unix_micros));
        let requests = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.requests += requests;
        self.series.add(unix_s, requests, None);
        for event in events.iter() {
            self.addresses.see(event);
        }
        let began = first.unix_micros;
        let options = &self.admission_options;
        self.admission.get_or_insert_with(|| AdmissionReplay::new(options, began)).second(events);
    }
}
