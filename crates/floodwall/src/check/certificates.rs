//! Certificates: readable, matching their keys, valid now and for a while, right for their hosts.

use floodwall_edge::tls::{self, CertificateFacts, CertificateFiles};

use super::Probed;
use crate::settings::{CertificateTarget, HostPattern};

/// How long before its end a certificate is warned of: time enough to notice a renewal that failed.
const EXPIRES_SOON_SECONDS: i64 = 14 * 86_400;

pub(super) fn look(target: &CertificateTarget, now_unix_seconds: i64) -> Vec<Probed> {
    let files = CertificateFiles {
        certificate: target.certificate.0.clone(),
        key: target.key.0.clone(),
        hosts: target.hosts.iter().map(ToString::to_string).collect(),
    };
    match tls::inspect(&files) {
        Ok(facts) => {
            let mut found = dates(target, &facts, now_unix_seconds);
            found.extend(names(target, &facts));
            found.extend(issuer(target, &facts));
            found
        }
        Err(errors) => errors
            .iter()
            .map(|error| {
                let place = if error.concerns_key(&files) { &target.key.1 } else { &target.certificate.1 };
                Probed::error(place, error.problem(), error.fix())
            })
            .collect(),
    }
}

fn dates(target: &CertificateTarget, facts: &CertificateFacts, now: i64) -> Vec<Probed> {
    let place = &target.certificate.1;
    let renew = "have it renewed, and see why that did not happen by itself";
    let (begins, ends) = (facts.not_before_unix_seconds, facts.not_after_unix_seconds);
    if now < begins {
        let problem = format!("the certificate is not valid before {}", in_words(begins));
        return vec![Probed::error(
            place,
            problem,
            "see that this machine's clock is right, or have a certificate issued for today",
        )];
    }
    if now > ends {
        return vec![Probed::error(place, format!("the certificate expired at {}", in_words(ends)), renew)];
    }
    if ends - now < EXPIRES_SOON_SECONDS {
        let days = (ends - now) / 86_400;
        let problem = format!("the certificate expires in {days} days, at {}", in_words(ends));
        return vec![Probed::warning(place, problem, renew)];
    }
    Vec::new()
}

/// A time in RFC 3339.
fn in_words(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds)
        .map_or_else(|_| "a time out of range".to_owned(), |time| time.to_string())
}

fn names(target: &CertificateTarget, facts: &CertificateFacts) -> Option<Probed> {
    let uncovered: Vec<String> = target
        .hosts
        .iter()
        .filter(|host| **host != HostPattern::Any)
        .map(ToString::to_string)
        .filter(|host| !facts.covers(host))
        .collect();
    if uncovered.is_empty() {
        return None;
    }
    let covers = if facts.names.is_empty() { "no name at all".to_owned() } else { facts.names.join(", ") };
    let problem = format!("the certificate does not cover {}: it covers {covers}", uncovered.join(", "));
    Some(Probed::warning(
        &target.certificate.1,
        problem,
        "have a certificate issued for every host of the site",
    ))
}

fn issuer(target: &CertificateTarget, facts: &CertificateFacts) -> Option<Probed> {
    let place = &target.certificate.1;
    if facts.self_signed {
        let problem = "the certificate is signed by itself: browsers warn every visitor of it";
        return Some(Probed::warning(place, problem, "have one issued by an authority that browsers know"));
    }
    (facts.chain_length == 1).then(|| {
        let problem = "the file holds the site's own certificate alone, without those that vouch for it: some visitors will be warned";
        Probed::warning(place, problem, "give the file with the whole chain, often named fullchain.pem")
    })
}
