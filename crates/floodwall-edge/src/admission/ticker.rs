//! What the gates do by the clock: wake those who have waited long enough, look at each second.

use std::rc::Rc;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};

use super::signatures;
use crate::edge::Phase;
use crate::worker::Worker;

/// Precision of the bound on waiting.
const WAKE_INTERVAL: Duration = Duration::from_millis(100);
const TICK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs beside one worker until the edge stops.
pub(crate) async fn run(worker: Rc<Worker>) {
    let mut beats = tokio::time::interval(WAKE_INTERVAL);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticked = worker.now();
    while worker.shared.phase() != Phase::Stopping {
        beats.tick().await;
        let now = worker.now();
        if now.since(ticked) >= TICK_INTERVAL {
            ticked = now;
            tick(&worker, now);
        } else {
            worker.shared.gatehouse.classes().for_each(|(_, class)| class.wake(now));
        }
    }
}

fn tick(worker: &Rc<Worker>, now: Timestamp) {
    let house = &worker.shared.gatehouse;
    house.renew_keys(now);
    for number in 0..worker.shared.config.sites.len() {
        let Ok(site) = u16::try_from(number).map(SiteId) else { break };
        let overloaded = house.classes().any(|(of, class)| of == site && class.is_pressed());
        signatures::tick(worker, site, overloaded, now);
    }
    house.classes().for_each(|(_, class)| class.tick(now));
}
