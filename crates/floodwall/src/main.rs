//! The `floodwall` command: reads the command line, runs one command, exits 0, 1 or 2.

mod access_log;
mod admin_socket;
mod baselines_file;
mod certificates;
mod check;
mod claim;
mod client_files;
mod clock;
mod commands;
mod control;
mod crawler_watch;
mod demo;
mod doctor;
mod drill;
mod edge_account;
mod edge_config;
mod evidence;
mod explain;
mod history;
mod incident;
mod limits;
mod logging;
mod orders;
mod outage;
mod probe_credential;
mod purge;
mod replay;
mod serve;
mod service_manager;
mod settings;
mod state_secret;
mod status;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Measured against the system's allocator in docs/benchmarks.md, and there also what its second
/// line (the feature `v2`) is chosen for: memory that sleeping connections give back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::run(commands::CommandLine::parse())
}
