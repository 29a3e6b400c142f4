//! `cargo xtask test`: what must be true before anything lands.
//!
//! The order is cheapest first; the test runner comes last, so that its summary closes the output.

use clap::Args;
use xshell::{Shell, cmd};

use crate::{run_step, setup};

/// What `cargo xtask test` takes.
#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// What cargo-nextest is to be given, for example a part of a test's name
    #[arg(last = true, value_name = "NEXTEST ARGUMENTS")]
    nextest: Vec<String>,
}

/// Sets up and runs every check.
///
/// # Errors
/// The first check that fails.
pub(crate) fn run(shell: &Shell, arguments: &TestArguments) -> Result<(), String> {
    setup::for_tests(shell)?;
    run_step("format", &cmd!(shell, "cargo fmt --all --check"))?;
    run_step(
        "format of the fuzz targets",
        &cmd!(shell, "cargo fmt --manifest-path fuzz/Cargo.toml --check"),
    )?;
    // Advisories need the network and change without us: `cargo deny check advisories` is for
    // whoever looks after releases.
    run_step(
        "licences, bans, sources",
        &cmd!(shell, "cargo deny --log-level error check licenses bans sources"),
    )?;
    run_step(
        "lints",
        &cmd!(shell, "cargo clippy --workspace --all-targets --locked --quiet -- --deny warnings"),
    )?;
    run_step("lints of the fuzz targets", &{
        let targets = crate::target_directory()?.join("fuzz");
        cmd!(shell, "cargo clippy --manifest-path fuzz/Cargo.toml --quiet -- --deny warnings")
            .env("CARGO_TARGET_DIR", targets)
    })?;
    run_step("documentation", &{
        cmd!(shell, "cargo doc --workspace --no-deps --document-private-items --locked --quiet")
            .env("RUSTDOCFLAGS", "--deny warnings")
    })?;
    let more = &arguments.nextest;
    // Set-up has just seen to it that there is a browser: a browser test that is skipped is a fault.
    run_step("tests", &{
        cmd!(shell, "cargo nextest run --workspace --locked --no-fail-fast --status-level slow {more...}")
            .env("FLOODWALL_REQUIRE_BROWSER", "1")
            .env("FLOODWALL_AXE_JS", setup::axe_file()?)
    })
}
