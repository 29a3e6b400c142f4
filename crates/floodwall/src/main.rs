//! The `floodwall` command: reads the command line, runs one command, exits 0, 1 or 2.

mod access_log;
mod certificates;
mod check;
mod clock;
mod commands;
mod control;
mod demo;
mod doctor;
mod drill;
mod edge_config;
mod history;
mod logging;
mod replay;
mod serve;
mod service_manager;
mod settings;

use std::process::ExitCode;

use clap::Parser;

/// Measured against the system's allocator in docs/benchmarks.md, and there also what its second
/// line (the feature `v2`) is chosen for: memory that sleeping connections give back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::run(commands::CommandLine::parse())
}
