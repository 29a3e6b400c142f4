//! Outages in the operator's log: when one is confirmed, and when its end is.

use floodwall_outage::{Family, OutageRecord};

use super::words;
use crate::control::OutageNews;

/// Tells the operator.
pub(crate) fn tell(news: OutageNews, record: &OutageRecord) {
    let (outage, target) = (&*record.key, &*record.target);
    let site = record.site.as_deref().unwrap_or("-");
    let cause = record.outage.cause().map_or("-", |cause| cause.as_str());
    let over = match record.family {
        Some(Family::V4) => " over IPv4",
        Some(Family::V6) => " over IPv6",
        None => "",
    };
    let words = words::outage(&record.outage);
    match news {
        OutageNews::Opened => tracing::warn!(outage, target, site, cause, "down{over} {words}"),
        OutageNews::Ended => {
            tracing::info!(outage, target, site, cause, "up again{over}; it was down {words}");
        }
    }
}
