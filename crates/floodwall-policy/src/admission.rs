//! Which requests are let through: the limits of each site, applied to the facts of one request.
//!
//! The rule of the house: work at the origin is the scarce thing. A request the cache answers is
//! never metered by `origin_limit`; `request_limit`, off unless configured, counts every request.
//! Limits: as many sites as [`SiteId`] can name; memory as of [`PrefixLimiter`].

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use floodwall_model::{Prefix, Reason, RequestFacts, SiteId, Timestamp, Verdict};

use crate::prefix_limiter::{Meter, PrefixLimiter};
use crate::rate_limit::RateLimit;

/// The limits of one site. The default has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SitePolicy {
    /// Per prefix, of requests that take work at the origin.
    pub origin_limit: Option<RateLimit>,
    /// Per prefix, of all requests, those the cache answers included.
    pub request_limit: Option<RateLimit>,
}

/// The limits of all sites: an immutable snapshot, replaced as a whole when settings change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionPolicy {
    sites: Box<[SitePolicy]>,
}

impl AdmissionPolicy {
    /// Takes the limits of each site, in the order of their [`SiteId`]s.
    #[must_use]
    pub fn new(sites: Vec<SitePolicy>) -> Self {
        Self { sites: sites.into_boxed_slice() }
    }

    /// The limits of one site; `None` when there is no such site.
    #[must_use]
    pub fn site(&self, site: SiteId) -> Option<&SitePolicy> {
        self.sites.get(usize::from(site.0))
    }
}

/// What admission remembers from request to request, shared by all worker threads. Outlives the
/// policy snapshots it is asked about.
pub struct Admission {
    limiter: PrefixLimiter,
    unknown_sites: AtomicU64,
}

impl Admission {
    /// Starts with nobody seen yet.
    #[must_use]
    pub fn new(limiter: PrefixLimiter) -> Self {
        Self { limiter, unknown_sites: AtomicU64::new(0) }
    }

    /// Decides on one request and charges it to its prefix. Allocates nothing, waits for nobody.
    ///
    /// A request refused by `request_limit` is not charged to `origin_limit`: it does not get there.
    #[must_use]
    pub fn admit(&self, policy: &AdmissionPolicy, facts: &RequestFacts<'_>, now: Timestamp) -> Verdict {
        let Some(site) = policy.site(facts.site) else {
            // The settings changed between routing and here. Fail open.
            self.unknown_sites.fetch_add(1, Relaxed);
            return Verdict::Admit;
        };
        let metered = [
            (Meter::AllRequests, site.request_limit),
            (Meter::OriginBound, site.origin_limit.filter(|_| facts.origin_bound)),
        ];
        for (meter, limit) in metered {
            let Some(limit) = limit else { continue };
            if let Err(retry_after) = self.limiter.check(meter, facts.site, facts.prefix, limit, now) {
                return Verdict::Refuse { reason: Reason::PrefixRate, retry_after };
            }
        }
        Verdict::Admit
    }

    /// How long until a site's limits let a client's next request in; zero where they do now. Asking counts
    /// as a request.
    #[must_use]
    pub fn limited_for(
        &self,
        policy: &AdmissionPolicy,
        site: SiteId,
        client: Prefix,
        now: Timestamp,
    ) -> std::time::Duration {
        let Some(limits) = policy.site(site) else { return std::time::Duration::ZERO };
        let metered = [(Meter::AllRequests, limits.request_limit), (Meter::OriginBound, limits.origin_limit)];
        let waits = metered
            .into_iter()
            .filter_map(|(meter, limit)| self.limiter.check(meter, site, client, limit?, now).err());
        waits.max().unwrap_or_default()
    }

    /// Whether a client may be given one more ticket for the waiting room: one a second and sixty at
    /// once, which do for an office; more than that would be one address taking the whole line.
    #[must_use]
    pub fn may_take_ticket(&self, site: SiteId, client: Prefix, now: Timestamp) -> bool {
        let Ok(limit) = RateLimit::from_numbers(1, 60) else { return true };
        self.limiter.check(Meter::Tickets, site, client, limit, now).is_ok()
    }

    /// The table of prefixes, for its gauges.
    #[must_use]
    pub fn limiter(&self) -> &PrefixLimiter {
        &self.limiter
    }

    /// Requests admitted because the policy did not know their site, since the start.
    #[must_use]
    pub fn unknown_sites(&self) -> u64 {
        self.unknown_sites.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    const ORIGIN: bool = true;
    const CACHE: bool = false;

    fn limit(rate: u32, burst: u32) -> Option<RateLimit> {
        Some(RateLimit::from_numbers(rate, burst).unwrap())
    }

    fn facts(site: u16, client: &str, origin_bound: bool) -> RequestFacts<'static> {
        let client: IpAddr = client.parse().unwrap();
        let prefix = Prefix::of_client(client);
        RequestFacts { site: SiteId(site), client, prefix, method: "GET", path: "/", origin_bound }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(Duration::from_millis(millis), 0)
    }

    /// Sends `count` requests of one kind at once; how many were admitted.
    fn admitted(
        admission: &Admission,
        policy: &AdmissionPolicy,
        facts: &RequestFacts<'_>,
        count: usize,
    ) -> usize {
        (0..count).filter(|_| admission.admit(policy, facts, at(1_000)) == Verdict::Admit).count()
    }

    #[test]
    fn only_what_is_configured_is_metered() {
        let none = SitePolicy::default();
        let origin = SitePolicy { origin_limit: limit(1, 3), ..none };
        let request = SitePolicy { request_limit: limit(1, 5), ..none };
        let both = SitePolicy { origin_limit: limit(1, 3), request_limit: limit(1, 5) };
        let looser = SitePolicy { origin_limit: limit(1, 8), request_limit: limit(1, 5) };
        for (case, site, origin_bound, expected) in [
            ("no limit, origin", none, ORIGIN, 100),
            ("no limit, cache", none, CACHE, 100),
            ("origin limit, origin", origin, ORIGIN, 3),
            ("origin limit, cache", origin, CACHE, 100),
            ("request limit, origin", request, ORIGIN, 5),
            ("request limit, cache", request, CACHE, 5),
            ("both, origin", both, ORIGIN, 3),
            ("both, cache", both, CACHE, 5),
            ("looser origin limit, origin", looser, ORIGIN, 5),
        ] {
            let admission = Admission::new(PrefixLimiter::new(1024, 1));
            let policy = AdmissionPolicy::new(vec![site]);
            let facts = facts(0, "192.0.2.1", origin_bound);
            assert_eq!(admitted(&admission, &policy, &facts, 100), expected, "{case}");
        }
    }

    #[test]
    fn the_two_limits_and_the_sites_keep_separate_accounts() {
        let admission = Admission::new(PrefixLimiter::new(1024, 1));
        let site = SitePolicy { origin_limit: limit(1, 3), request_limit: limit(1, 10) };
        let policy = AdmissionPolicy::new(vec![site, site]);
        assert_eq!(admitted(&admission, &policy, &facts(0, "192.0.2.1", ORIGIN), 4), 3);
        // Four requests were counted so far; six are left, none of them origin-bound.
        assert_eq!(admitted(&admission, &policy, &facts(0, "192.0.2.1", CACHE), 20), 6);
        assert_eq!(admitted(&admission, &policy, &facts(1, "192.0.2.1", ORIGIN), 20), 3);
        assert_eq!(admitted(&admission, &policy, &facts(0, "192.0.2.2", ORIGIN), 20), 3);
    }

    #[test]
    fn clients_are_metered_by_v4_address_and_v6_subnet() {
        let policy =
            AdmissionPolicy::new(vec![SitePolicy { origin_limit: limit(1, 1), request_limit: None }]);
        for (first, second, share) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let admission = Admission::new(PrefixLimiter::new(1024, 1));
            assert_eq!(admitted(&admission, &policy, &facts(0, first, ORIGIN), 2), 1);
            let left = usize::from(!share);
            assert_eq!(admitted(&admission, &policy, &facts(0, second, ORIGIN), 2), left, "{first} {second}");
        }
    }

    #[test]
    fn a_refusal_holds_reason_and_exact_wait() {
        let admission = Admission::new(PrefixLimiter::new(1024, 1));
        let policy =
            AdmissionPolicy::new(vec![SitePolicy { origin_limit: limit(4, 1), request_limit: None }]);
        let facts = facts(0, "192.0.2.1", ORIGIN);
        assert_eq!(admission.admit(&policy, &facts, at(1_000)), Verdict::Admit);
        let retry_after = Duration::from_millis(150);
        let refusal = Verdict::Refuse { reason: Reason::PrefixRate, retry_after };
        assert_eq!(admission.admit(&policy, &facts, at(1_100)), refusal);
        assert_eq!(admission.admit(&policy, &facts, at(1_250)), Verdict::Admit);
    }

    #[test]
    fn an_unknown_site_is_admitted_and_counted() {
        let admission = Admission::new(PrefixLimiter::new(1024, 1));
        let policy =
            AdmissionPolicy::new(vec![SitePolicy { origin_limit: limit(1, 1), request_limit: None }]);
        assert_eq!(admitted(&admission, &policy, &facts(1, "192.0.2.1", ORIGIN), 10), 10);
        assert_eq!(admission.unknown_sites(), 10);
    }

    #[test]
    fn a_tightened_limit_applies_at_once_and_forgives_what_was_owed_beyond_it() {
        let admission = Admission::new(PrefixLimiter::new(1024, 1));
        let facts = facts(0, "192.0.2.1", ORIGIN);
        // An hour's worth of burst, used up: under this limit the prefix owes an hour.
        let loose =
            AdmissionPolicy::new(vec![SitePolicy { origin_limit: limit(1, 3_600), request_limit: None }]);
        assert_eq!(admitted(&admission, &loose, &facts, 4_000), 3_600);
        let tight = AdmissionPolicy::new(vec![SitePolicy { origin_limit: limit(2, 2), request_limit: None }]);
        let refusal = Verdict::Refuse { reason: Reason::PrefixRate, retry_after: Duration::from_millis(500) };
        assert_eq!(admission.admit(&tight, &facts, at(1_000)), refusal);
        assert_eq!(admission.admit(&tight, &facts, at(1_500)), Verdict::Admit);
    }
}
