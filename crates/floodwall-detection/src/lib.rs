//! Notices unusual traffic within seconds and says what it is: attack, crowd, routine trouble, or
//! unknown, with the grounds and how sure it is.
//!
//! ```text
//! request ── RequestSeen ──► Sketches (one per worker and site, fixed memory)
//!                                │ once a second: merged, summarised
//!                                ▼
//! packets, origin, watch ──► Detector::tick ──► changes: opened, revised, mitigated, ended
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use floodwall_detection::{Change, Detector, RequestReader, RequestText, Sketches, Surroundings};
//! use floodwall_model::{SiteId, Timestamp, TrafficVerdict};
//!
//! const NOON_UNIX_S: u64 = 1_667_908_800;
//! let at = |second: u64| {
//!     let micros = i64::try_from((NOON_UNIX_S + second) * 1_000_000).expect("fits");
//!     Timestamp::new(Duration::from_secs(second), micros)
//! };
//! // Seeds are secret: whoever knows them can choose values that collide.
//! let reader = RequestReader::new(0x5EED, &["vote.example.gov"]);
//! let mut sketches = Sketches::new(0x5EED);
//! let mut detector = Detector::new(SiteId(0), 0x5EED);
//!
//! let mut request = |sketches: &mut Sketches, client: u32, target: &str, referer: Option<&str>| {
//!     sketches.observe(&reader.read(&RequestText {
//!         client: std::net::Ipv4Addr::from(client).into(),
//!         method: "GET",
//!         target,
//!         referer,
//!         user_agent: Some(["Firefox/131.0", "Chrome/130.0", "Safari/18.0"][client as usize % 3]),
//!         status: 200,
//!     }));
//! };
//! for second in 0..300_u32 {
//!     // Five visitors a second, each with a page and what it needs.
//!     for visitor in 0..5 {
//!         let client = 0xC000_0200 + (second * 5 + visitor) * 641;
//!         request(&mut sketches, client, "/polling-place", None);
//!         request(&mut sketches, client, "/site.css", Some("https://vote.example.gov/polling-place"));
//!     }
//!     let changes = detector.tick(&sketches.take_summary(), &Surroundings::default(), at(second.into()));
//!     assert!(changes.is_empty());
//! }
//! // Then 800 requests a second with queries that never repeat.
//! for second in 300..310_u32 {
//!     for number in 0..800 {
//!         let target = format!("/lookup?address={second}-{number}");
//!         request(&mut sketches, 0x0A00_0000 + number * 97, &target, None);
//!     }
//!     let changes = detector.tick(&sketches.take_summary(), &Surroundings::default(), at(second.into()));
//!     assert_eq!(matches!(changes.first(), Some(Change::Opened(_))), second == 300);
//! }
//! let incident = detector.open_incident().expect("there is one");
//! let judgement = incident.judgement().expect("it was judged");
//! assert_eq!(judgement.verdict, TrafficVerdict::Attack);
//! for ground in &judgement.grounds {
//!     println!("{ground}");
//! }
//! ```
//!
//! Logs are fed with [`LogFeed`]; counts alone, of which nothing is known but how many, with
//! [`CountsDetector`], which never says "attack".
//!
//! # Invariants
//!
//! - Pure: no clock, no entropy, no file. The same seed and facts give the same incidents.
//! - [`Sketches::observe`] allocates nothing; memory is fixed ([`Sketches::BYTES`],
//!   [`Detector::BYTES`]), whatever comes.
//! - What is not measured counts for nothing: no verdict rests on the absence of data.
//! - Nothing is learned as usual while an incident is open.

mod baseline;
mod change;
mod counts;
mod detector;
mod drift;
mod episode;
mod evidence;
mod feed;
mod figure;
mod judge;
mod known;
mod notice;
mod proxy;
mod request;
mod sessions;
mod sketch;
mod sketches;
mod surroundings;
mod trouble;
mod weights;

pub use baseline::{
    Baselines, Calendar, CalendarEntry, CalendarError, Expected, Maturity, Occasion, RestoreError,
    SavedBaselines,
};
pub use counts::{CountsDetector, CountsEpisode};
pub use detector::Detector;
pub use feed::LogFeed;
pub use figure::{Figure, Row};
pub use judge::Weights;
pub use notice::{Change, Notice};
pub use request::{
    AdmissionSeen, AgentKind, CachePart, ContentKind, MethodClass, PathClass, Referrer, RequestReader,
    RequestSeen, RequestText, TokenSeen,
};
pub use sketch::SampledSource;
pub use sketches::{SecondSummary, Sketches};
pub use surroundings::{
    ConnectionsSeen, EdgeSeen, OriginSeen, PacketsSeen, Surroundings, WatchFault, WatchSeen,
};
