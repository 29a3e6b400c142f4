//! What somebody claims: the words, not the world.

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::host::{HostFlag, TargetName};

/// The format's name and version, in every claim that is kept.
pub const CLAIM_FORMAT: &str = "floodwall-claim/1";
/// Targets of one claim that are kept; further ones are counted.
pub const TARGETS_MAX: usize = 4_096;
/// Bytes of a claim's text that are kept.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Forms of one post that are remembered; of more, the last ones.
const EDITS_MAX: usize = 64;

/// One claim: one post, one list, one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// [`CLAIM_FORMAT`].
    pub format: String,
    /// Its name here: the same post has the same name however often it is read.
    pub id: String,
    /// Who claims, as they call themselves. Nobody's word is taken for it.
    pub claimant: String,
    /// Where it was found.
    pub found: WhereFound,
    /// When it was posted.
    pub posted: Moment,
    /// When it was read into here, in seconds since 1970.
    pub captured_unix_s: i64,
    /// SHA-256 of what was captured, hexadecimal.
    pub capture_sha256: String,
    /// What it says, as plain text; `None` where only its hash is kept.
    pub text: Option<String>,
    /// What it names.
    pub targets: Vec<NamedTarget>,
    /// Targets beyond [`TARGETS_MAX`].
    pub targets_dropped: u64,
    /// When it says that it happened or will happen.
    pub window: Option<ClaimedWindow>,
    /// How it says it was done.
    pub methods: Vec<ClaimedMethod>,
    /// What it says came of it.
    pub effect: Option<ClaimedEffect>,
    /// How long it says it lasted, in seconds.
    pub duration_s: Option<u64>,
    /// How much it says was sent.
    pub size: Option<ClaimedSize>,
    /// Pages of others that it shows for proof. Nothing here ever fetches one.
    pub proofs: Vec<String>,
    /// Earlier and later forms of it that were read, first to last.
    pub edits: Vec<Edit>,
    /// Who says that this is what it claims.
    pub read_by: ReadBy,
}

impl Claim {
    /// The same post, read again in another form. What the earlier form named keeps its time; what only
    /// the later one names came after the first reading, and before the post's last edit or the second reading.
    #[must_use]
    pub fn read_again(self, mut later: Self) -> Self {
        for target in &mut later.targets {
            let known = self.targets.iter().find(|known| known.name == target.name);
            target.since = match known {
                Some(known) => known.since,
                None => {
                    let edited = target.since.latest_unix_s();
                    let by = if edited > self.captured_unix_s { edited } else { later.captured_unix_s };
                    Moment::between(self.captured_unix_s.max(target.since.earliest_unix_s()), by)
                }
            };
        }
        later.posted = self.posted;
        later.edits = self.edits;
        let edited = Moment::between(self.captured_unix_s, later.captured_unix_s);
        later.edits.push(Edit {
            edited,
            captured_unix_s: self.captured_unix_s,
            capture_sha256: self.capture_sha256,
        });
        let too_many = later.edits.len().saturating_sub(EDITS_MAX);
        later.edits.drain(..too_many);
        later
    }
}

/// Where a claim was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhereFound {
    /// By which way it came.
    pub origin: ClaimOrigin,
    /// The channel, feed or list.
    pub channel: String,
    /// Which post of it: a number or an address.
    pub reference: Option<String>,
}

/// By which way a claim came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimOrigin {
    /// A person wrote it down.
    Person,
    /// An export of Telegram Desktop.
    Telegram,
    /// RSS or Atom.
    Feed,
    /// A table.
    Csv,
    /// A published list of targets.
    TargetList,
}

/// Who read the assertions out of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// A person.
    Person,
    /// A program, by words: to be read by a person before anything rests on it.
    Program,
}

/// Something that a claim names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedTarget {
    /// What.
    pub name: TargetName,
    /// What is odd about the name.
    pub flags: Vec<HostFlag>,
    /// Since when the claim names it: of an edited post some time between its posting and its last edit.
    pub since: Moment,
    /// How it is named.
    pub how: NamedHow,
    /// Requests that the list says are sent to it.
    pub requests: Vec<RequestTemplate>,
}

/// How a claim names a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedHow {
    /// As a link.
    Link,
    /// In its text.
    Text,
    /// As an entry of a list.
    Entry,
    /// A person says so.
    Person,
}

/// One request of a published list: what its tool sends. `$_1` stands for what is drawn by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTemplate {
    /// `http`, `http2`, `tcp`, `nginx_loris`: the list's word.
    pub kind: String,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The port.
    pub port: u16,
}

/// When a claim says that it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedWindow {
    /// From.
    pub from: Moment,
    /// Until; `None` where it names no end.
    pub until: Option<Moment>,
}

/// How a claim says it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedMethod {
    /// HTTP requests ("layer 7").
    HttpFlood,
    /// Connections that are held and say little.
    SlowConnections,
    /// TLS handshakes.
    TlsHandshakes,
    /// HTTP/2 requests cancelled at once.
    StreamResets,
    /// TCP SYN packets.
    SynFlood,
    /// UDP and other packets, reflected or not ("layer 4").
    PacketFlood,
    /// Not a flood at all: data taken or pages changed.
    Intrusion,
}

impl ClaimedMethod {
    /// Every method.
    pub const ALL: [Self; 7] = [
        Self::HttpFlood,
        Self::SlowConnections,
        Self::TlsHandshakes,
        Self::StreamResets,
        Self::SynFlood,
        Self::PacketFlood,
        Self::Intrusion,
    ];

    /// The word for it in commands and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HttpFlood => "http_flood",
            Self::SlowConnections => "slow_connections",
            Self::TlsHandshakes => "tls_handshakes",
            Self::StreamResets => "stream_resets",
            Self::SynFlood => "syn_flood",
            Self::PacketFlood => "packet_flood",
            Self::Intrusion => "intrusion",
        }
    }

    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::HttpFlood => "a flood of HTTP requests",
            Self::SlowConnections => "connections that are held and say little",
            Self::TlsHandshakes => "TLS handshakes without requests",
            Self::StreamResets => "HTTP/2 requests cancelled as soon as sent",
            Self::SynFlood => "connection attempts (SYN) that complete no handshake",
            Self::PacketFlood => "a flood of packets",
            Self::Intrusion => "an intrusion: data taken or pages changed",
        }
    }

    /// By the word of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

/// What a claim says came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedEffect {
    /// The site was down.
    Down,
    /// It was slow or failed for some.
    Degraded,
}

impl ClaimedEffect {
    /// The word for it in commands and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
        }
    }
}

/// How much a claim says was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedSize {
    /// So many.
    pub amount: u64,
    /// Of these.
    pub unit: SizeUnit,
}

/// What a claimed size counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeUnit {
    /// Requests a second.
    RequestsPerSecond,
    /// Bits a second.
    BitsPerSecond,
    /// Packets a second.
    PacketsPerSecond,
}

/// Another form in which the same post was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// When the post was edited, as far as known.
    pub edited: Moment,
    /// When that form was read, in seconds since 1970.
    pub captured_unix_s: i64,
    /// SHA-256 of that form.
    pub capture_sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tests::{POSTED, claim};

    #[test]
    fn what_an_edit_adds_was_named_after_the_earlier_reading() {
        let first = claim(&["www.sos.example.gov"]);
        let mut second = claim(&["www.sos.example.gov", "vote.example.gov"]);
        second.capture_sha256 = "11".repeat(32);
        second.captured_unix_s = POSTED + 9_000;
        // The export says only that the post was edited some time.
        second.targets.iter_mut().for_each(|target| target.since = Moment::between(POSTED, POSTED + 7_200));
        let both = first.clone().read_again(second);
        assert_eq!(both.targets[0].since, Moment::second(POSTED));
        assert_eq!(both.targets[1].since, Moment::between(POSTED + 600, POSTED + 7_200));
        assert_eq!(both.edits[0].capture_sha256, first.capture_sha256);
        assert_eq!((both.edits.len(), both.posted), (1, first.posted));
        // A post that does not say that it was edited.
        let mut silent = claim(&["vote.example.gov"]);
        silent.captured_unix_s = POSTED + 9_000;
        let both = first.read_again(silent);
        assert_eq!(both.targets[0].since, Moment::between(POSTED + 600, POSTED + 9_000));
    }
}
