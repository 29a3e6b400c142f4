//! `cargo xtask up`: from a fresh clone to a protected sample site in the browser.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use xshell::{Shell, cmd};

use crate::{repository, run_step, say, setup, target_directory};

/// What `cargo xtask up` takes.
#[derive(Args, Debug)]
pub(crate) struct UpArguments {
    /// What `floodwall demo` is to be given (`--site`, `--admin`, `--origin`)
    #[arg(last = true, value_name = "DEMO ARGUMENTS")]
    demo: Vec<String>,
}

/// Sets up, builds in release mode, and becomes `floodwall demo`.
///
/// # Errors
/// What is missing and cannot be installed, or the build's or the program's failure.
pub(crate) fn run(shell: &Shell, arguments: &UpArguments) -> Result<(), String> {
    setup::for_building(shell)?;
    run_step("building floodwall", &cmd!(shell, "cargo build --release --locked --package floodwall"))?;
    say("\n== floodwall demo");
    let program = target_directory()?.join("release/floodwall");
    // Takes this process's place, so that Ctrl-C and the exit status are the demo's own.
    let error = Command::new(&program).arg("demo").args(&arguments.demo).current_dir(repository()).exec();
    Err(format!("{} cannot be run: {error}", program.display()))
}
