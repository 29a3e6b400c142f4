//! What comes of a replay: the sink of all requests, and what is known at its end.

use std::net::IpAddr;

use floodwall_policy::Rung;

use super::addresses::Addresses;
use super::admission::{AdmissionCounts, AdmissionOptions, AdmissionReplay};
use super::counts::Counts;
use super::detection::{self, Detected, DetectionOptions, DetectionReplay};
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
    detection_options: DetectionOptions,
    detection: Option<DetectionReplay>,
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
    pub(crate) detected: Detected,
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
    pub(crate) fn new(admission: AdmissionOptions, detection: DetectionOptions) -> Self {
        Self {
            admission: None,
            admission_options: admission,
            detection: None,
            detection_options: detection,
            addresses: Addresses::default(),
            series: Series::new(),
            requests: 0,
            span_micros: None,
        }
    }

    /// All has been read.
    pub(crate) fn finish(mut self, read: Read, bytes: u64) -> Outcome {
        let mut counts_left_out = 0;
        let detected = match self.detection.take() {
            Some(detection) => {
                counts_left_out = u64::try_from(read.counts.len()).unwrap_or(u64::MAX);
                detection.finish()
            }
            None => self.take_counts(&Counts::new(read.counts)),
        };
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
            detected,
            proxies: self.addresses.proxies(),
            admission,
        }
    }
}

impl Replayed {
    fn take_counts(&mut self, counts: &Counts) -> Detected {
        let (Some(first), Some(last)) = (counts.rows.first(), counts.rows.last()) else {
            return Detected::default();
        };
        self.span_micros = Some((first.unix_micros, last.unix_micros + counts.period_s * 1_000_000));
        self.requests = counts.requests();
        let period_s = u64::try_from(counts.period_s).unwrap_or(1).max(1);
        let series = &mut self.series;
        detection::of_counts(&self.detection_options, counts, |unix_s, count, band| {
            series.add_span(unix_s, count, count / period_s, band);
        })
    }
}

impl Seconds for Replayed {
    fn second(&mut self, unix_s: i64, events: &mut [Event]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let begin = self.span_micros.map_or(first.unix_micros, |(begin, _)| begin);
        self.span_micros = Some((begin, last.unix_micros));
        let requests = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.requests += requests;
        let detection = &self.detection_options;
        let detection = self.detection.get_or_insert_with(|| DetectionReplay::new(detection, unix_s));
        let band = detection.second(unix_s, events);
        self.series.add(unix_s, requests, band);
        for event in events.iter() {
            self.addresses.see(event);
        }
        let began = first.unix_micros;
        let options = &self.admission_options;
        self.admission.get_or_insert_with(|| AdmissionReplay::new(options, began)).second(events);
    }
}
