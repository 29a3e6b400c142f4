//! The drill's origin: the sample site, in the trouble that the scenario says.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use floodwall_drill::agent::{self, OriginSeen};
use floodwall_drill::clock::Moment;
use floodwall_drill::hosts::Host;
use floodwall_drill::scenario::{Scenario, Trouble as Planned};
use tokio::sync::watch;

use crate::demo::origin::{DemoOrigin, DemoOriginError, Site, Trouble};

/// How often the scenario is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Serves until told that the drill is over, then says what it saw.
pub(super) fn run() -> Result<(), String> {
    let (orders, own) = agent::take_orders(Host::Origin).map_err(|error| error.to_string())?;
    let address = own.network().address(Host::Origin, false, orders.port).socket();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop: {error}"))?;
    let origin = runtime.block_on(DemoOrigin::bind(address)).map_err(|error| error.to_string())?;
    let site = origin.site();
    let (sender, phases) = watch::channel(Phase::Waiting);
    // Standard input is read on a thread of its own: the site serves while it waits.
    std::thread::spawn(move || {
        agent::ready();
        let start: Moment = agent::told().unwrap_or_else(|_| std::process::exit(1));
        sender.send_replace(Phase::Running(start));
        let _: String = agent::told().unwrap_or_else(|_| std::process::exit(1));
        sender.send_replace(Phase::Over);
    });
    runtime
        .block_on(serve(origin, &orders.scenario, &phases))
        .map_err(|error| format!("the origin cannot serve again: {error}"))?;
    let counts = &site.counters;
    agent::tell_result(&OriginSeen {
        requests: counts.requests.load(Relaxed),
        lookups: counts.lookups.load(Relaxed),
        lookups_refused: counts.lookups_refused.load(Relaxed),
        lookups_in_progress_max: counts.lookups_in_progress_max.load(Relaxed),
    })
    .map_err(|error| error.to_string())
}

/// Where the drill is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Waiting,
    Running(Moment),
    Over,
}

/// Serves until the drill is over, down in between where the scenario says so.
async fn serve(
    mut origin: DemoOrigin,
    scenario: &Scenario,
    phases: &watch::Receiver<Phase>,
) -> Result<(), DemoOriginError> {
    let (address, site) = (origin.local_addr(), origin.site());
    loop {
        // Dropping the server closes its listener and every connection at once, as a crash does.
        tokio::select! {
            () = origin.serve(std::future::pending()) => {}
            () = while_in(scenario, phases, &site, false) => {}
        }
        while_in(scenario, phases, &site, true).await;
        if matches!(*phases.borrow(), Phase::Over) {
            return Ok(());
        }
        origin = DemoOrigin::bind_for(address, Arc::clone(&site)).await?;
    }
}

/// Waits for as long as the origin is down (or up), with the site in the trouble of the hour.
async fn while_in(scenario: &Scenario, phases: &watch::Receiver<Phase>, site: &Site, down: bool) {
    loop {
        let trouble = match *phases.borrow() {
            Phase::Over => return,
            Phase::Waiting => None,
            Phase::Running(start) => scenario.trouble_at(Moment::now().since(start).as_secs_f64()),
        };
        if (trouble == Some(Planned::Down)) != down {
            return;
        }
        site.trouble.set(match trouble {
            Some(Planned::Slow) => Trouble::Slow,
            Some(Planned::Errors) => Trouble::Errors,
            Some(Planned::Down) | None => Trouble::None,
        });
        tokio::time::sleep(TICK).await;
    }
}
