//! `floodwall demo`: a sample voter-information site behind the whole of Floodwall, on loopback.

mod leftovers;
pub(crate) mod origin;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};

use clap::Args;

use crate::commands::{EXIT_NO, EXIT_USAGE, fail, fail_to_serve, show_faults, tell};
use crate::logging;
use crate::serve::{self, Addresses, Ended, ServeError};
use crate::settings::{Faults, Settings, VerifyCrawlers};

/// What `floodwall demo` takes.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DemoArguments {
    /// Address of the protected site [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    site: Option<SocketAddr>,
    /// Address of the console [default: 127.0.0.1:9800, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Address of the sample site's own server [default: 127.0.0.1:3000, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    origin: Option<SocketAddr>,
}

/// What `floodwall demo-origin` takes.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct DemoOriginArguments {
    /// Address to serve on; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Take any free port where this one is taken
    #[arg(long)]
    or_any_port: bool,
    /// End when standard input ends, and so with whoever started it
    #[arg(long)]
    until_stdin_ends: bool,
}

/// Runs the sample site alone.
pub(crate) fn run_origin(arguments: &DemoOriginArguments) -> ExitCode {
    if !arguments.listen.ip().is_loopback() {
        return fail(
            "floodwall: the sample site serves on loopback only; write for example --listen 127.0.0.1:3000",
            EXIT_USAGE,
        );
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("floodwall: no event loop: {error}"), EXIT_NO),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    if arguments.until_stdin_ends {
        std::thread::spawn(move || {
            let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
            let _ = stop.send(());
        });
    } else {
        // Kept for as long as the process lives: the sample site ends with it.
        std::mem::forget(stop);
    }
    let outcome = runtime.block_on(async {
        let any_port = SocketAddr::new(arguments.listen.ip(), 0);
        let origin = match origin::DemoOrigin::bind(arguments.listen).await {
            Err(origin::DemoOriginError::Listen { .. }) if arguments.or_any_port => {
                origin::DemoOrigin::bind(any_port).await?
            }
            bound => bound?,
        };
        announce(origin.local_addr());
        origin
            .serve(async {
                let _ = stopped.await;
            })
            .await;
        Ok::<(), origin::DemoOriginError>(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("floodwall: the sample site cannot start: {error}"), EXIT_NO),
    }
}

/// The one line on standard output that whoever started the sample site waits for.
fn announce(address: SocketAddr) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{address}");
}

/// Runs the demonstration until it is interrupted.
pub(crate) fn run(arguments: &DemoArguments) -> ExitCode {
    logging::start();
    let given = [arguments.site, arguments.admin, arguments.origin];
    if let Some(address) = given.into_iter().flatten().find(|address| !address.ip().is_loopback()) {
        let message = format!(
            "floodwall: {address} is not on loopback; the demonstration is for this machine only: write for \
             example 127.0.0.1:{}",
            address.port()
        );
        return fail(&message, EXIT_USAGE);
    }
    match demonstrate(arguments) {
        Ok(status) => status,
        Err(message) => fail(&format!("floodwall: {message}"), EXIT_NO),
    }
}

fn demonstrate(arguments: &DemoArguments) -> Result<ExitCode, String> {
    leftovers::remove();
    let unwritable =
        |error| format!("cannot make a temporary directory: {error}; name a writable one with TMPDIR");
    let state = tempfile::Builder::new().prefix(leftovers::PREFIX).tempdir().map_err(unwritable)?;
    let _in_use = leftovers::claim(state.path()).map_err(unwritable)?;
    let mut sample = SampleSite::start(arguments.origin)?;
    let (address, pid) = (sample.address, sample.process.id());
    let ready = |addresses: &Addresses| tell(&introduction(addresses, address, pid, state.path()));
    let serve = |ports| match settings(arguments, ports, address, state.path()) {
        Ok(settings) => serve::run(&settings, ready).map_err(NotServed::Serve),
        Err(faults) => Err(NotServed::Settings(faults)),
    };
    let ended = match serve(Ports::Usual) {
        // The demonstration is not to fail for a busy port that nobody asked for.
        Err(NotServed::Serve(error)) if error.is_about_a_port_in_use() => serve(Ports::Any),
        ended => ended,
    };
    sample.stop();
    Ok(match ended {
        Ok(Ended { failed: false }) => ExitCode::SUCCESS,
        Ok(Ended { failed: true }) => ExitCode::from(EXIT_NO),
        Err(NotServed::Serve(error)) => fail_to_serve(&error),
        Err(NotServed::Settings(faults)) => {
            show_faults(&faults);
            ExitCode::from(EXIT_USAGE)
        }
    })
}

enum NotServed {
    Settings(Faults),
    Serve(ServeError),
}

/// Where to listen when nothing was said.
#[derive(Clone, Copy)]
enum Ports {
    Usual,
    Any,
}

impl Ports {
    fn address(self, usual: u16) -> SocketAddr {
        let port = match self {
            Self::Usual => usual,
            Self::Any => 0,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}

fn settings(
    arguments: &DemoArguments,
    ports: Ports,
    origin: SocketAddr,
    state: &Path,
) -> Result<Settings, Faults> {
    let site = arguments.site.unwrap_or_else(|| ports.address(8080));
    let admin = arguments.admin.unwrap_or_else(|| ports.address(9800));
    let origin = [format!("http://{origin}")];
    Settings::from_listen_and_origin(&[site.to_string()], &origin, Some(&admin.to_string()), state).map(
        |(mut settings, _warnings)| {
            // On loopback nobody can be asked who an address is.
            settings.server.verify_crawlers = VerifyCrawlers::Off;
            for site in &mut settings.sites {
                "sample".clone_into(&mut site.name);
            }
            settings
        },
    )
}

/// The sample site in a process of its own, so that it can be killed and brought back.
struct SampleSite {
    process: Child,
    address: SocketAddr,
}

impl SampleSite {
    /// On the given address or, where none was given, on the usual port or any other.
    fn start(given: Option<SocketAddr>) -> Result<Self, String> {
        let address = given.unwrap_or_else(|| Ports::Usual.address(3000));
        let program = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
        let mut process = std::process::Command::new(program)
            .args(["demo-origin", "--until-stdin-ends", "--listen", &address.to_string()])
            .args(given.is_none().then_some("--or-any-port"))
            // Its end tells the sample site that we are gone, however we went.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the sample site cannot be started: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(format!(
                    "the sample site could not serve on {address}; its message stands above. Choose another \
                     address with --origin, for example 127.0.0.1:0"
                ))
            }
        }
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for SampleSite {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What to open and what to try.
fn introduction(addresses: &Addresses, origin: SocketAddr, pid: u32, state: &Path) -> String {
    let site = addresses.edge.http.first().map(ToString::to_string).unwrap_or_default();
    let admin = addresses.admin;
    let program = std::env::args().next().unwrap_or_else(|| "floodwall".to_owned());
    format!(
        "
A sample voter-information site now runs behind Floodwall, on this machine only.

  Open   http://{site}/     the site, as voters see it
         http://{admin}/     the console: requests, cached share, refused, origin health

  Try    curl -i http://{site}/deadlines
           twice: the second comes from the cache (`Cache-Status: floodwall; hit`)

         kill {pid}
           the site's own server is gone; pages that were opened before go on, after a minute
           marked stale (`Cache-Status: ...; detail=stale-if-error`)
         {program} demo-origin --listen {origin}
           brings it back (in another terminal); it is noticed within a second

         for i in $(seq 400); do curl -s -o /dev/null -w '%{{http_code}} ' \"http://{site}/polling-place/lookup?zip=$((10000+i))\" & done; wait
           more look-ups at once than the site's server can answer: it is given what it can carry,
           the others wait for their turn, and pages are answered meanwhile

         curl -s -o /dev/null 'http://{site}/polling-place/lookup?zip=[10000-30000]'
           (after half a minute of calm) twenty thousand look-ups, each another: it is noticed within
           seconds, said here, and shown with its reasons under \"What is happening\" in the console
         {program} incident list --state {state}
           what was noticed; `incident show NAME` says why, and what it cost people

  The site's own server listens on http://{origin} and stands for a small office's: its polling-place
  look-up takes 50-100 ms and serves 20 at a time. State is in {state} and removed at the end.
  Ctrl-C stops everything.
",
        state = state.display()
    )
}
