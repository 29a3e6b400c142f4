//! From the validated settings to what the edge is told.

use std::num::NonZeroU32;
use std::sync::Arc;

use floodwall_edge::tls::CertificateFiles;
use floodwall_edge::{
    AdmissionMode, CacheSettings, EdgeConfig, KeptSettings, OriginConfig, PathPattern, QueryRule, QueryRules,
    SiteAdmission, SiteConfig, Timeouts,
};
use floodwall_model::Prefix;
use floodwall_policy::{BudgetSettings, HandshakeLimits, RateLimit, SitePolicy};

use crate::settings::{self, Banner, Cleartext, HostPattern, Settings, Site};

/// Requests one origin is given at once, over all workers.
const ORIGIN_REQUESTS_MAX: usize = 256;

/// The edge's part of the settings.
pub(crate) fn edge_config(settings: &Settings) -> EdgeConfig {
    let server = &settings.server;
    let timeouts = &server.timeouts;
    EdgeConfig {
        http: server.http.clone(),
        https: server.https.clone(),
        certificates: settings.sites.iter().filter_map(certificate_files).collect(),
        sites: settings.sites.iter().map(|site| site_config(site, &server.internal)).collect(),
        trusted_proxies: server.trusted_proxies.clone(),
        proxy_protocol: server.proxy_protocol.clone(),
        workers: server.workers,
        connections_max: server.connections_max,
        tracked_prefixes: server.tracked_prefixes,
        timeouts: Timeouts {
            header: timeouts.header,
            body_idle: timeouts.body_idle,
            write_idle: timeouts.write_idle,
            keep_alive_idle: timeouts.keep_alive_idle,
            connect: timeouts.connect,
            origin_response: timeouts.origin_response,
            origin_idle: timeouts.origin_idle,
            origin_return: timeouts.origin_return,
        },
        handshakes: handshake_limits(&server.handshakes),
        cache: CacheSettings {
            memory_bytes_max: server.cache.memory_bytes,
            object_bytes_max: server.cache.object_bytes_max,
            default_stale_if_error: server.cache.stale_if_error,
            negative_for: server.cache.negative,
            heuristic_max: server.cache.heuristic_max,
            ..CacheSettings::default()
        },
        kept: (!server.kept.max_age.is_zero()).then(|| KeptSettings {
            directory: server.state.join("kept"),
            bytes_max: server.kept.bytes,
            object_bytes_max: server.cache.object_bytes_max,
            age_max: server.kept.max_age,
        }),
    }
}

fn handshake_limits(settings: &settings::Handshakes) -> HandshakeLimits {
    // The settings' bounds leave no zero.
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    HandshakeLimits {
        in_progress_max: number(settings.in_progress_max),
        per_second: number(settings.per_second),
        prefix_per_second: number(settings.client_per_second),
        prefix_burst: number(settings.client_burst),
    }
}

fn site_config(site: &Site, internal: &[Prefix]) -> SiteConfig {
    SiteConfig {
        name: site.name.as_str().into(),
        hosts: site.hosts.iter().map(|host| host_text(host).into()).collect(),
        role: site.role.as_deref().map(Arc::from),
        origins: site
            .origins
            .iter()
            .map(|origin| OriginConfig {
                host: origin.host.clone(),
                port: origin.port,
                requests_max: ORIGIN_REQUESTS_MAX
                    .max(usize::try_from(site.admission.origin_requests.1).unwrap_or(usize::MAX)),
            })
            .collect(),
        policy: SitePolicy {
            origin_limit: site.origin_limit.as_ref().and_then(rate_limit),
            request_limit: site.request_limit.as_ref().and_then(rate_limit),
        },
        paths: site.paths.iter().map(path_pattern).collect(),
        out_of_reach: if site.may_reach_internal() { Vec::new() } else { internal.to_vec() },
        kept_banner: site.banner == Banner::On,
        stale_if_error: site.stale_if_error,
        query: QueryRules::new(site.query.iter().map(query_rule).collect()),
        https_only: site.cleartext == Cleartext::Redirect,
        hsts: site.hsts.filter(|span| !span.is_zero()),
        admission: site_admission(&site.admission),
    }
}

fn site_admission(admission: &settings::Admission) -> SiteAdmission {
    let (least, most) = admission.origin_requests;
    SiteAdmission {
        mode: match admission.mode {
            settings::AdmissionMode::On => AdmissionMode::On,
            settings::AdmissionMode::Observe => AdmissionMode::Observe,
            settings::AdmissionMode::Off => AdmissionMode::Off,
        },
        classes: admission
            .classes
            .iter()
            .map(|class| (class.name.as_str().into(), class.paths.iter().map(path_pattern).collect()))
            .collect(),
        // A checked file has them in order.
        budget: BudgetSettings::new(least, most).unwrap_or_default(),
        wait_max: admission.wait_max,
        essential: admission.essential.iter().map(path_pattern).collect(),
        allow: admission.allow.clone(),
        generation: admission.generation,
    }
}

fn path_pattern(pattern: &settings::PathPattern) -> PathPattern {
    let path = pattern.path.as_str().into();
    if pattern.below { PathPattern::Below(path) } else { PathPattern::Exact(path) }
}

fn query_rule(rule: &settings::QueryRule) -> QueryRule {
    let path = rule.path.as_str().into();
    QueryRule {
        path: if rule.below { PathPattern::Below(path) } else { PathPattern::Exact(path) },
        parameters: rule.parameters.iter().map(|name| name.as_str().into()).collect(),
    }
}

fn host_text(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Below(name) => format!("*.{name}"),
        HostPattern::Any => "*".to_owned(),
    }
}

/// The settings' bounds lie within the policy's, so that `None` cannot come of a checked file.
fn rate_limit(limit: &settings::RateLimit) -> Option<RateLimit> {
    RateLimit::from_numbers(limit.per_second, limit.burst).ok()
}

fn certificate_files(site: &Site) -> Option<CertificateFiles> {
    let paths = site.certificate.as_ref()?;
    Some(CertificateFiles {
        certificate: paths.certificate.clone(),
        key: paths.key.clone(),
        hosts: site.hosts.iter().map(host_text).collect(),
    })
}
