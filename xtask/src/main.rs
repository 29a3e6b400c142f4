//! Development tasks, the same for people and for continuous integration: `cargo xtask up`,
//! `cargo xtask test`, `cargo xtask bench`.
//!
//! Set-up is done by the tasks that need it, each time, and costs nothing where everything is there.

mod bench;
mod setup;
mod test;
mod up;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xshell::Shell;

/// Development tasks of Floodwall.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Set this machine up, build, and run `floodwall demo`
    Up(up::UpArguments),
    /// Set this machine up, check format and lints, and run every test
    Test(test::TestArguments),
    /// Measure this machine's build: speed, memory, outages, `kill -9`
    Bench(bench::BenchArguments),
    /// Set this machine up for `cargo xtask test`, and do no more
    Setup,
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("\nxtask: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(line: CommandLine) -> Result<(), String> {
    let shell = Shell::new().map_err(|error| error.to_string())?;
    shell.change_dir(repository());
    match line.task {
        Task::Up(arguments) => up::run(&shell, &arguments),
        Task::Test(arguments) => test::run(&shell, &arguments),
        Task::Bench(arguments) => bench::run(&shell, &arguments),
        Task::Setup => setup::for_tests(&shell),
    }
}

/// The repository's root directory.
pub(crate) fn repository() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where cargo puts what it builds; `CARGO_TARGET_DIR` and cargo's settings are honoured.
///
/// # Errors
/// What cargo says when it cannot read the workspace.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(repository()).no_deps().exec();
    metadata.map(|metadata| metadata.target_directory.into()).map_err(|error| error.to_string())
}

/// Says what is being done, on stderr. That it cannot be said is nothing we could tell.
pub(crate) fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Runs a command whose output people see; its failure in words.
pub(crate) fn run_step(what: &str, command: &xshell::Cmd<'_>) -> Result<(), String> {
    say(&format!("\n== {what}"));
    command.run().map_err(|error| format!("{what}: {error}"))
}
