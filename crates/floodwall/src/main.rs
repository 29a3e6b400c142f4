//! The `floodwall` command: reads the command line, runs one command, exits 0, 1 or 2.

mod access_log;
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
mod serve;
mod settings;

use std::process::ExitCode;

use clap::Parser;

/// The system allocator fragments under the mix of short-lived and cached bodies; this one was
/// measured against it (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::run(commands::CommandLine::parse())
}
