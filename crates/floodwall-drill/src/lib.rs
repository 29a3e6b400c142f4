//! The drill: what real visitors get while a flood runs, measured before the day.
//!
//! A [`Scenario`] says who visits, who floods and what the origin does; with a seed it becomes a
//! [`Plan`], in which every arrival has its time to the microsecond. The plan is carried out by
//! hosts that the drill makes itself and can reach nothing else (see `hosts`).
//!
//! This is no attack tool: generators connect only to addresses of the drill's own hosts, every
//! scenario lies within [`scenario::bounds`], and nothing here takes a target from outside.

pub mod agent;
pub mod certificates;
pub mod clock;
mod directory;
pub mod edges;
pub mod hosts;
mod machine;
pub mod measure;
pub mod patience;
pub mod plan;
pub mod random;
pub mod report;
pub mod requirements;
pub mod run;
pub mod scenario;
pub mod twin;

pub use plan::Plan;
pub use scenario::{Scenario, ScenarioFault};
