//! Asks DNS who calls himself a crawler: the mechanism under [`CrawlerChecks`].
//!
//! The data plane asks [`CrawlerWatch::standing`], which never waits: what is not known yet is asked by
//! a task of its own, through a bounded queue, with the system's resolvers (`/etc/resolv.conf`). How
//! much is asked is the policy's to say; here only deadlines are kept.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use floodwall_model::Clock;
use floodwall_policy::{
    CrawlerCheckSettings, CrawlerChecks, CrawlerStanding, LookUp, LookUpFault, NAMES_MAX, NextLookUp,
};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::sync::mpsc;

/// Questions that wait to be taken up; the policy lets fewer be asked at once.
const QUEUE: usize = 32;
/// One server's answer to one question.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// One question, however often it is asked.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(6);
/// Answers that are read of one question.
const ANSWERS_MAX: usize = 16;

/// Who is a crawler, for as many threads as ask.
pub(crate) struct CrawlerWatch {
    checks: Arc<Mutex<CrawlerChecks>>,
    questions: mpsc::Sender<NextLookUp>,
    clock: Arc<dyn Clock>,
    dropped: AtomicU64,
}

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
#[error("crawlers are not verified by DNS: {0}; see /etc/resolv.conf")]
pub(crate) struct CrawlerWatchError(#[from] NetError);

impl CrawlerWatch {
    /// Starts it on the current runtime, with the system's resolvers.
    pub(crate) fn start(
        settings: CrawlerCheckSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, CrawlerWatchError> {
        let mut builder = TokioResolver::builder_tokio()?;
        set(builder.options_mut());
        Ok(Self::start_with(settings, clock, builder.build()?))
    }

    fn start_with(
        settings: CrawlerCheckSettings,
        clock: Arc<dyn Clock>,
        resolver: TokioResolver,
    ) -> Arc<Self> {
        let (questions, mut asked) = mpsc::channel::<NextLookUp>(QUEUE);
        let watch = Arc::new(Self {
            checks: Arc::new(Mutex::new(CrawlerChecks::new(settings))),
            questions,
            clock,
            dropped: AtomicU64::new(0),
        });
        let (checks, clock) = (watch.checks.clone(), watch.clock.clone());
        // Ends with the watch, whose sender is the only one.
        tokio::spawn(async move {
            while let Some(first) = asked.recv().await {
                let (resolver, checks, clock) = (resolver.clone(), checks.clone(), clock.clone());
                tokio::spawn(async move { follow(&resolver, &checks, clock.as_ref(), first).await });
            }
        });
        watch
    }

    /// Whether this visitor is the crawler his `User-Agent` names. Never waits for DNS.
    pub(crate) fn standing(&self, address: IpAddr, user_agent: &[u8]) -> CrawlerStanding {
        let now = self.clock.now();
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let (standing, next) = checks.standing(address, user_agent, now);
        drop(checks);
        if let Some(next) = next
            && self.questions.try_send(next).is_err()
        {
            // It counts as lost after half a minute, and is asked again.
            self.dropped.fetch_add(1, Relaxed);
        }
        standing
    }

    /// The host's name by which an address was verified.
    pub(crate) fn verified_host(&self, address: IpAddr) -> Option<String> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.verified_host(address, self.clock.now()).map(str::to_owned)
    }

    /// Questions that were never asked for want of room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

fn set(options: &mut ResolverOpts) {
    options.timeout = ANSWER_TIME_MAX;
    options.attempts = 2;
    // What an address may call itself is for DNS to say, and what was said is kept by the policy.
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    options.case_randomization = true;
}

/// Asks one question after the other until the policy has none left.
async fn follow(
    resolver: &TokioResolver,
    checks: &Mutex<CrawlerChecks>,
    clock: &dyn Clock,
    first: NextLookUp,
) {
    let mut next = Some(first);
    // Names, and the addresses of each.
    for _ in 0..=NAMES_MAX {
        let Some(NextLookUp { address, look_up }) = next else { return };
        next = match look_up {
            LookUp::Names => {
                let names = within_time(names(resolver, address)).await;
                let borrowed: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
                let names = names.as_ref().map(|_| borrowed.as_slice()).map_err(|fault| *fault);
                lock(checks).on_names(address, names, clock.now())
            }
            LookUp::Addresses(name) => {
                let addresses = within_time(addresses(resolver, name, address)).await;
                lock(checks).on_addresses(address, addresses.as_deref().map_err(|fault| *fault), clock.now())
            }
        };
    }
}

fn lock(checks: &Mutex<CrawlerChecks>) -> std::sync::MutexGuard<'_, CrawlerChecks> {
    checks.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn within_time<T>(question: impl Future<Output = Result<T, NetError>>) -> Result<T, LookUpFault> {
    match tokio::time::timeout(QUESTION_TIME_MAX, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error.is_no_records_found() => Err(LookUpFault::NotFound),
        Ok(Err(_)) | Err(_) => Err(LookUpFault::Failed),
    }
}

async fn names(resolver: &TokioResolver, address: IpAddr) -> Result<Vec<String>, NetError> {
    let answer = resolver.reverse_lookup(address).await?;
    let names = answer.answers().iter().filter_map(|record| match &record.data {
        RData::PTR(name) => Some(name.0.to_ascii()),
        _ => None,
    });
    Ok(names.take(ANSWERS_MAX).collect())
}

/// The name's addresses of the family that is to be confirmed.
async fn addresses(resolver: &TokioResolver, name: String, of: IpAddr) -> Result<Vec<IpAddr>, NetError> {
    let family = if of.is_ipv4() { RecordType::A } else { RecordType::AAAA };
    let answer = resolver.lookup(name, family).await?;
    let addresses = answer.answers().iter().filter_map(|record| match &record.data {
        RData::A(v4) => Some(IpAddr::V4(v4.0)),
        RData::AAAA(v6) => Some(IpAddr::V6(v6.0)),
        _ => None,
    });
    Ok(addresses.take(ANSWERS_MAX).collect())
}
