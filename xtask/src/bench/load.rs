//! The load: Debian's `wrk` (HTTP/1.1) and `h2load` (TLS), one thread, pinned away from the servers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::process::pinned;
use super::servers::HOST;

/// What a generator says of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Requests answered.
    pub(super) requests: u64,
    /// Connections that failed, answers that did not come, and answers other than 2xx.
    pub(super) errors: u64,
}

/// How requests are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generator {
    /// HTTP/1.1 keep-alive in clear text.
    Wrk,
    /// HTTP/1.1 keep-alive over TLS.
    TlsHttp1,
    /// HTTP/2 over TLS, several requests at once on each connection.
    TlsHttp2,
}

/// Streams at once on one HTTP/2 connection.
const STREAMS: &str = "8";

/// `wrk` prints tables for people; this is called at its end and costs nothing before.
const WRK_SCRIPT: &str = r#"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("floodwall-bench %d %d\n", summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// Everything a run needs to know.
#[derive(Clone, Debug)]
pub(super) struct Run<'a> {
    pub(super) generator: Generator,
    pub(super) core: usize,
    pub(super) address: SocketAddr,
    pub(super) path: &'a str,
    pub(super) connections: usize,
    pub(super) seconds: u64,
}

/// Makes requests for so many seconds.
pub(super) fn run(run: &Run<'_>) -> Result<Load, String> {
    match run.generator {
        Generator::Wrk => run_wrk(run),
        Generator::TlsHttp1 => run_h2load(run, &["--h1"]),
        Generator::TlsHttp2 => run_h2load(run, &["-m", STREAMS]),
    }
}

fn run_wrk(run: &Run<'_>) -> Result<Load, String> {
    let script = tempfile::NamedTempFile::new().and_then(|file| {
        std::fs::write(file.path(), WRK_SCRIPT)?;
        Ok(file)
    });
    let script = script.map_err(|error| format!("cannot write a script for wrk: {error}"))?;
    let mut command = pinned(run.core, &PathBuf::from("wrk"));
    command.args(["-t1", &format!("-c{}", run.connections), &format!("-d{}s", run.seconds)]);
    command.arg("-s").arg(script.path()).arg("-H").arg(format!("Host: {HOST}"));
    command.arg(format!("http://{}{}", run.address, run.path));
    let text = output_of("wrk", command)?;
    let numbers = text.lines().find_map(|line| line.strip_prefix("floodwall-bench ")?.split_once(' '));
    let load = numbers.and_then(|(requests, errors)| {
        Some(Load { requests: requests.parse().ok()?, errors: errors.parse().ok()? })
    });
    load.ok_or_else(|| format!("wrk says nothing to go by: {text}"))
}

fn run_h2load(run: &Run<'_>, arguments: &[&str]) -> Result<Load, String> {
    let mut command = pinned(run.core, Path::new("h2load"));
    command.args(["-t1", &format!("-c{}", run.connections), "-D", &run.seconds.to_string()]);
    command.args(arguments).arg(format!("--connect-to={}", run.address));
    command.arg(format!("https://{HOST}{}", run.path));
    let text = output_of("h2load", command)?;
    parse_h2load(&text).ok_or_else(|| format!("h2load says nothing to go by: {text}"))
}

/// Reads `requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout` and
/// `status codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx`.
fn parse_h2load(text: &str) -> Option<Load> {
    let count = |line: &str, what: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(line))?;
        let word = line.split(',').find_map(|part| part.trim().strip_suffix(what))?;
        word.trim().parse::<u64>().ok()
    };
    let requests = count("requests: ", "succeeded")?;
    let broken = count("requests: ", "failed")?.saturating_add(count("requests: ", "timeout")?);
    let good = count("status codes: ", "2xx")?;
    Some(Load { requests, errors: broken.saturating_add(requests.saturating_sub(good)) })
}

fn output_of(name: &str, mut command: std::process::Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot start {name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{name} ended with {}: {text}{said}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_h2load_says() {
        let text = "finished in 5.00s, 100.00 req/s, 1.00MB/s
requests: 500 total, 520 started, 500 done, 498 succeeded, 2 failed, 2 errored, 0 timeout
status codes: 497 2xx, 0 3xx, 1 4xx, 0 5xx
";
        let load = parse_h2load(text).unwrap();
        assert_eq!((load.requests, load.errors), (498, 3));
        assert!(parse_h2load("h2load: cannot connect").is_none());
    }
}
