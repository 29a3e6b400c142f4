//! What the tasks need on this machine, and how it gets there.
//!
//! Programs come as Debian packages (as root, or through sudo) or by `cargo install`; a machine
//! where neither is allowed is told the exact command to run by hand. Nothing is installed twice.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::target_directory;

/// A program and the Debian package that brings it.
pub(crate) type Need<'a> = (&'a str, &'a str);

const FOR_BUILDING: [Need<'static>; 2] = [("cc", "gcc"), ("c++", "g++")];
const FOR_BROWSER_TESTS: [Need<'static>; 3] =
    [("chromium", "chromium"), ("chromedriver", "chromium-driver"), ("w3m", "w3m")];
/// The drill makes hosts of its own.
const FOR_HOSTS: [Need<'static>; 2] = [("ip", "iproute2"), ("setpriv", "util-linux")];

/// Command-line tools of cargo: program, crate, version. Newer ones that are already there will do.
const CARGO_TOOLS: [(&str, &str, &str); 2] =
    [("cargo-nextest", "cargo-nextest", "0.9.143"), ("cargo-deny", "cargo-deny", "0.20.2")];

/// The accessibility checker that the browser tests run inside the pages.
const AXE_VERSION: &str = "4.14.1";

/// Sees to what building needs.
///
/// # Errors
/// What is missing and how to install it by hand.
pub(crate) fn for_building(shell: &Shell) -> Result<(), String> {
    require_packages(shell, &FOR_BUILDING)
}

/// Sees to what the tests need.
///
/// # Errors
/// What is missing and how to install it by hand.
pub(crate) fn for_tests(shell: &Shell) -> Result<(), String> {
    let mut needs = [&FOR_BUILDING[..], &FOR_BROWSER_TESTS, &FOR_HOSTS].concat();
    let axe = axe_file()?;
    if !axe.exists() {
        needs.push(("npm", "npm"));
    }
    require_packages(shell, &needs)?;
    require_components(shell)?;
    for (program, package, version) in CARGO_TOOLS {
        if !is_there(program) {
            let what = format!("installing {program} {version}");
            crate::run_step(&what, &cmd!(shell, "cargo install --locked {package} --version {version}"))?;
        }
    }
    if axe.exists() { Ok(()) } else { fetch_axe(shell, &axe) }
}

/// Installs the packages of those programs that are not there.
///
/// # Errors
/// What is missing, with the command that installs it, when we may not.
pub(crate) fn require_packages(shell: &Shell, needs: &[Need<'_>]) -> Result<(), String> {
    let missing: Vec<&str> =
        needs.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {}", missing.join(" "));
    let advice = format!("as root, run: {by_hand}");
    if !is_there("apt-get") {
        let programs: Vec<&str> = needs.iter().map(|(program, _)| *program).collect();
        return Err(format!(
            "this machine has no apt-get; install what brings {} (in Debian: {})",
            programs.join(", "),
            missing.join(" ")
        ));
    }
    let root = is_root(shell)?;
    if !root && !is_there("sudo") {
        return Err(format!(
            "{} missing, and neither root nor sudo is at hand; {advice}",
            missing.join(", ")
        ));
    }
    let apt_get =
        || if root { cmd!(shell, "apt-get --quiet=2") } else { cmd!(shell, "sudo apt-get --quiet=2") };
    let install = apt_get().args(["install", "--yes", "--no-install-recommends"]).args(&missing);
    crate::run_step("refreshing the list of packages", &apt_get().arg("update"))
        .and_then(|()| crate::run_step(&format!("installing {}", missing.join(" ")), &install))
        .map_err(|error| format!("{error}; {advice}"))?;
    match needs.iter().find(|(program, _)| !is_there(program)) {
        None => Ok(()),
        Some((program, package)) => {
            Err(format!("{package} is installed, yet there is no {program} in PATH; see `dpkg -L {package}`"))
        }
    }
}

/// `rustfmt` and `clippy`, which a minimal toolchain lacks.
fn require_components(shell: &Shell) -> Result<(), String> {
    let works = |tool: &str| {
        cmd!(shell, "cargo {tool} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    if works("fmt") && works("clippy") {
        return Ok(());
    }
    crate::run_step("adding rustfmt and clippy", &cmd!(shell, "rustup component add rustfmt clippy"))
}

fn is_root(shell: &Shell) -> Result<bool, String> {
    let id = cmd!(shell, "id --user").quiet().read().map_err(|error| error.to_string())?;
    Ok(id.trim() == "0")
}

/// Whether a program of that name can be run.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where cargo installs, also when it is not in PATH: cargo finds its tools there itself.
    let own = std::env::home_dir().map(|home| home.join(".cargo"));
    let own = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(own).map(|home| home.join("bin"));
    // Servers are often not in the path of ordinary users.
    let mut places = std::env::split_paths(&path).chain(own).chain([PathBuf::from("/usr/sbin")]);
    places.any(|directory| directory.join(program).is_file())
}

/// Where the browser tests look for axe-core.
pub(crate) fn axe_file() -> Result<PathBuf, String> {
    Ok(target_directory()?.join("tools/axe.min.js"))
}

fn fetch_axe(shell: &Shell, file: &Path) -> Result<(), String> {
    let directory = shell.create_temp_dir().map_err(|error| error.to_string())?;
    let (prefix, package) = (directory.path(), format!("axe-core@{AXE_VERSION}"));
    crate::run_step(
        "fetching axe-core, the accessibility checker",
        &cmd!(
            shell,
            "npm install --prefix {prefix} --no-save --ignore-scripts --no-audit --no-fund --silent {package}"
        ),
    )?;
    let fetched = prefix.join("node_modules/axe-core/axe.min.js");
    let copy = || {
        shell.create_dir(file.parent().unwrap_or(file))?;
        shell.copy_file(&fetched, file)
    };
    copy().map_err(|error| format!("axe-core was fetched and is not where it should be: {error}"))
}
