//! What the edge is to do with a request, with the policy's own parts.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_policy::{
    Binding, Challenge, ClientFingerprint, Decision, Difficulty, Gate, GateFacts, GateSettings, Keyring,
    Outcome, ProofKind, RequestKind, Rung, Secret, SiteTag, Standing, Ticket, TokenClaims, TokenId, Turn,
    WaitId, WaitingRoom, Wake, WorkKind,
};

use super::{Answer, Asked};
use crate::plan::PAGES;

const MARK: &str = "floodwall";
const TOKEN_S: u32 = 3_600;
/// A slice of time in which the origin answers a few requests.
const SLICE: Duration = Duration::from_millis(50);

/// What the bots of the flood have proven: by this the gate's ladder is driven to a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Bots {
    None,
    ProvingNothing,
    FollowingRedirects,
    Solving,
}

/// The edge.
pub(in super::super) struct StandIn {
    gate: Gate,
    room: WaitingRoom,
    ring: Keyring,
    bots: Bots,
    since_start: Duration,
    random: u64,
    at_origin: u32,
    bots_per_slice: u32,
    pub(in super::super) rung: Rung,
}

impl StandIn {
    /// An edge under a flood that has lasted until the ladder stood still, and is now a sixth of what it was: the
    /// ladder stays where it is for half a minute, and there is room for whoever has proven enough.
    pub(in super::super) fn under(bots: Bots) -> Self {
        let start = timestamp(Duration::ZERO);
        let mut edge = Self {
            gate: Gate::new(GateSettings::default(), 7, start),
            room: WaitingRoom::new(start),
            ring: Keyring::new(&Secret::new([3; 32]), start),
            bots,
            since_start: Duration::ZERO,
            random: 1,
            at_origin: 0,
            bots_per_slice: 60,
            rung: Rung::Open,
        };
        edge.pass(30);
        edge.bots_per_slice = 10;
        edge.pass(5);
        edge.rung = edge.gate.rung();
        edge
    }

    fn now(&self) -> Timestamp {
        timestamp(self.since_start)
    }

    fn fresh(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 8
    }

    /// So many seconds of flood go by.
    fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            for _ in 0..20 {
                self.slice(None);
            }
            let let_in = self.gate.let_in_per_second();
            self.room.tick(let_in, self.now());
            let _ = self.gate.tick(self.now());
        }
    }

    /// Bots ask, the origin answers; whether the one who waits is let in.
    fn slice(&mut self, waits: Option<WaitId>) -> bool {
        self.since_start += SLICE;
        let bots = if self.bots == Bots::None { 0 } else { self.bots_per_slice };
        for _ in 0..bots {
            let facts = self.bot();
            if self.gate.offer(&facts, self.now()) == Decision::Admit {
                self.at_origin += 1;
            }
        }
        // Twenty at a time; who comes later stands in line.
        let latency = Duration::from_millis(75) * self.at_origin.div_ceil(20);
        for _ in 0..self.at_origin.min(15) {
            self.gate.on_release(Outcome::Answered(latency, WorkKind::of("GET", "/look-up")), self.now());
            self.at_origin -= 1;
        }
        let mut is_let_in = false;
        while let Some(wake) = self.gate.next_wake(self.now()) {
            if let Wake::Admit(id) = wake {
                self.at_origin += 1;
                is_let_in |= waits == Some(id);
            }
        }
        is_let_in
    }

    fn bot(&mut self) -> GateFacts {
        let random = self.fresh();
        let proof = match self.bots {
            Bots::None | Bots::ProvingNothing => None,
            Bots::FollowingRedirects => Some(ProofKind::Redirect),
            Bots::Solving => Some(ProofKind::Work),
        };
        GateFacts {
            client: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | u32::try_from(random & 0xff_ffff).unwrap())),
            fingerprint: ClientFingerprint(0),
            system: None,
            token: proof.map(|proof| (TokenId(random), proof)),
            standing: Standing::Unknown,
            kind: RequestKind::Page,
            keeps_no_cookies: proof.is_none(),
        }
    }

    /// Answers one request.
    pub(in super::super) fn answer(&mut self, asked: &Asked) -> Answer {
        let agent = asked.fields.get("user-agent").map(String::as_str).unwrap_or_default();
        let fingerprint = ClientFingerprint(
            agent.bytes().fold(7, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())),
        );
        let binding = Binding { site: SiteTag(1), fingerprint, generation: 0 };
        let (address, mark) = unmarked(&asked.target);
        let cookie = |name: &str| asked.cookies.get(name).map(String::as_bytes);
        let now = self.now();
        if let Some(work) = cookie("floodwall_work") {
            let lifetime = Duration::from_secs(TOKEN_S.into());
            if let Ok(claims) = self.ring.redeem_solution(work, &binding, lifetime, now) {
                return self.exchange(&address, &claims);
            }
        }
        let in_query = mark.as_deref().filter(|mark| mark.len() > 1).map(str::as_bytes);
        let mut ticket = None;
        let mut token =
            cookie("floodwall_token").and_then(|text| self.ring.verify_token(text, &binding, now).ok());
        if let Some(text) = cookie("floodwall_ticket").or(in_query)
            && let Ok(presented) = self.ring.verify_ticket(text, &binding, now)
        {
            self.pass(5);
            match self.room.present(&presented, self.now()) {
                Turn::Wait { ticket: later, .. } => ticket = Some(later),
                Turn::Come { called_unix_s } => {
                    let lifetime = Duration::from_secs(TOKEN_S.into());
                    let claims = self.ring.redeem_ticket(&presented, called_unix_s, lifetime);
                    if in_query.is_none() {
                        return self.exchange(&address, &claims);
                    }
                    token = Some(claims);
                }
            }
        }
        if mark.is_some() && cookie("floodwall_token").is_some() {
            return Answer { status: 307, ..Answer::default() }.with("location", address);
        }
        let facts = GateFacts {
            client: asked.client.unwrap(),
            fingerprint,
            system: None,
            token: token.map(|claims| (claims.id, claims.proof)),
            standing: Standing::Unknown,
            kind: RequestKind::Page,
            keeps_no_cookies: mark.is_some() && token.is_none(),
        };
        let keeps_cookies = !facts.keeps_no_cookies && in_query.is_none();
        match self.gate.offer(&facts, self.now()) {
            Decision::Admit => self.site(&address),
            Decision::Wait(id) if (0..80).any(|_| self.slice(Some(id))) => self.site(&address),
            Decision::Wait(_) | Decision::Refuse(_) => {
                Answer { status: 503, ..Answer::default() }.with("retry-after", "0")
            }
            Decision::Challenge(Challenge::Redirect) => {
                let claims = self.redirect_claims(&binding);
                let mark = if address.contains('?') { "&" } else { "?" };
                let to = format!("{address}{mark}{MARK}=1");
                Answer { status: 307, ..Answer::default() }
                    .with("location", to)
                    .with("set-cookie", self.token_cookie(&claims))
            }
            Decision::Challenge(challenge) => {
                let ticket = ticket.unwrap_or_else(|| Ticket::take(&binding, self.random, self.now()));
                self.page(challenge, &address, &ticket, &binding, keeps_cookies)
            }
        }
    }

    /// The origin's page.
    fn site(&mut self, address: &str) -> Answer {
        self.at_origin += 1;
        let path = address.split('?').next().unwrap();
        let words = PAGES
            .iter()
            .find(|(known, _)| *known == path)
            .map_or("<h1>Your polling place", |(_, words)| words);
        Answer::page(words)
    }

    fn exchange(&self, address: &str, claims: &TokenClaims) -> Answer {
        Answer { status: 307, ..Answer::default() }
            .with("location", address)
            .with("set-cookie", self.token_cookie(claims))
            .with("set-cookie", "floodwall_work=; Path=/; Max-Age=0")
            .with("set-cookie", "floodwall_ticket=; Path=/; Max-Age=0")
    }

    fn token_cookie(&self, claims: &TokenClaims) -> String {
        format!("floodwall_token={}; Path=/; HttpOnly; SameSite=Lax", self.ring.issue_token(claims).as_str())
    }

    fn redirect_claims(&mut self, binding: &Binding) -> TokenClaims {
        TokenClaims {
            site: binding.site,
            fingerprint: binding.fingerprint,
            proof: ProofKind::Redirect,
            generation: 0,
            issued_unix_s: u32::try_from(self.now().wall_unix_seconds()).unwrap(),
            lifetime_s: TOKEN_S,
            id: TokenId(self.fresh()),
        }
    }

    /// The page with the choice, or that of the waiting room.
    fn page(
        &mut self,
        challenge: Challenge,
        address: &str,
        ticket: &Ticket,
        binding: &Binding,
        keeps_cookies: bool,
    ) -> Answer {
        let ticket = self.ring.issue_ticket(ticket);
        let mark = if address.contains('?') { "&amp;" } else { "?" };
        let query = if keeps_cookies { String::new() } else { format!("{mark}{MARK}={}", ticket.as_str()) };
        let random = self.fresh();
        let data = if challenge == Challenge::Choice {
            let work = self.ring.issue_challenge(binding, Difficulty::SLOW_DEVICE, random, self.now());
            let json = serde_json::to_string(&work).unwrap();
            format!(" data-challenge=\"{}\"", json.replace('&', "&amp;").replace('"', "&#34;"))
        } else {
            String::new()
        };
        let body = format!(
            "<!doctype html><noscript><meta http-equiv=\"refresh\" content=\"0; url={address}{query}\"></noscript>\
             <main class=\"wait\"{data}><h1>Many people are here</h1></main>"
        );
        Answer { status: 503, body, ..Answer::default() }
            .with("retry-after", "5")
            .with("set-cookie", format!("floodwall_ticket={}; Path=/; HttpOnly", ticket.as_str()))
    }
}

/// A target without our mark, and the mark.
fn unmarked(target: &str) -> (String, Option<String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_mark = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name == MARK);
    let mark =
        query.split('&').find(is_mark).and_then(|pair| pair.split_once('=')).map(|(_, mark)| mark.to_owned());
    let rest: Vec<_> = query.split('&').filter(|pair| !pair.is_empty() && !is_mark(pair)).collect();
    let address = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    (address, mark)
}

fn timestamp(since_start: Duration) -> Timestamp {
    let micros = i64::try_from(since_start.as_micros()).unwrap();
    Timestamp::new(Duration::from_secs(1) + since_start, 1_667_916_000_000_000 + micros)
}
