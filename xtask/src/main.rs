//! Development tasks: set-up, test, bench.

mod bench;
mod setup;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum CommandLine {
    /// Measure the edge on this machine, beside Debian's nginx
    Bench(bench::BenchArguments),
}

fn main() -> ExitCode {
    let CommandLine::Bench(arguments) = CommandLine::parse();
    match bench::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}
