//! What ARCHITECTURE.md and STYLE.md promise about the house as a whole, held by tests: who may
//! depend on whom, and what is deliberately absent.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The floors of the house, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    Model,
    Policy,
    Mechanism,
    Binary,
    /// Tools around the house: nothing in it depends on them.
    Development,
}

#[expect(clippy::panic, reason = "a crate without a floor is the fault this test is for")]
fn floor(package: &str) -> Floor {
    match package {
        "floodwall-model" => Floor::Model,
        "floodwall-policy"
        | "floodwall-detection"
        | "floodwall-assessment"
        | "floodwall-evidence"
        | "floodwall-exchange"
        | "floodwall-outage" => Floor::Policy,
        "floodwall-edge"
        | "floodwall-filter"
        | "floodwall-watch"
        | "floodwall-store"
        | "floodwall-evidence-log"
        | "floodwall-fleet"
        | "floodwall-console"
        | "floodwall-status"
        | "floodwall-drill" => Floor::Mechanism,
        "floodwall" => Floor::Binary,
        "xtask" | "floodwall-browser" => Floor::Development,
        other => panic!("say in xtask/tests/house.rs (and ARCHITECTURE.md) on which floor {other} stands"),
    }
}

/// What must not be reached from the model or a policy crate, however indirectly: runtimes, sockets,
/// files, threads, clocks, entropy.
const NEVER_BELOW_MECHANISM: [&str; 13] = [
    "tokio",
    "hyper",
    "axum",
    "rustls",
    "mio",
    "socket2",
    "rustix",
    "libc",
    "nix",
    "getrandom",
    "rand",
    "rusqlite",
    "tracing",
];

/// Asks nothing but what the processor can do (for SHA-2), on some platforms through `libc`.
const ASKS_THE_PROCESSOR: &str = "cpufeatures";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap()
}

/// Every file under `directory` whose name ends in one of `endings`, what is built left out.
fn files(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !["target", "corpus", "artifacts", ".git"].contains(&name.as_str()) {
                    waiting.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn dependencies_point_downwards() {
    let metadata = metadata();
    let own: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in metadata.workspace_packages() {
        let above = floor(&package.name);
        for dependency in &package.dependencies {
            if !own.contains(dependency.name.as_str()) {
                continue;
            }
            let below = floor(&dependency.name);
            let for_tests = dependency.kind == DependencyKind::Development;
            let allowed = below < above || (for_tests && below == Floor::Development);
            if !allowed {
                faults.push(format!("{} ({above:?}) on {} ({below:?})", package.name, dependency.name));
            }
        }
    }
    assert!(faults.is_empty(), "dependencies that do not point downwards: {faults:#?}");
}

#[test]
fn model_and_policy_reach_no_runtime_socket_clock_or_entropy() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for package in metadata.workspace_packages() {
        if floor(&package.name) > Floor::Policy {
            continue;
        }
        let mut reached = BTreeSet::new();
        let mut waiting = vec![&package.id];
        while let Some(id) = waiting.pop() {
            if names[id] == ASKS_THE_PROCESSOR {
                continue;
            }
            let normal = nodes[id]
                .deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            for dependency in normal {
                if reached.insert(names[&dependency.pkg]) {
                    waiting.push(&dependency.pkg);
                }
            }
        }
        let forbidden: Vec<_> =
            NEVER_BELOW_MECHANISM.iter().filter(|name| reached.contains(**name)).collect();
        assert!(forbidden.is_empty(), "{} reaches {forbidden:?}", package.name);
    }
}

#[test]
fn model_and_policy_do_not_touch_the_world_through_std() {
    const WORLD: [&str; 8] = [
        "std::fs",
        "std::thread",
        "std::process",
        "std::env",
        "TcpStream",
        "UdpSocket",
        "Instant::now",
        "SystemTime",
    ];
    let mut faults = Vec::new();
    for package in metadata().workspace_packages() {
        if floor(&package.name) > Floor::Policy {
            continue;
        }
        let source = package.manifest_path.parent().unwrap().join("src");
        for file in files(source.as_std_path(), &[".rs"]) {
            // What tests do is their own affair.
            if file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in WORLD.iter().filter(|word| code.contains(**word)) {
                faults.push(format!("{}: {word}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "policy touches the world: {faults:#?}");
}

#[test]
fn model_types_are_no_wire_or_disk_format() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let model = packages.iter().find(|package| package.name.as_str() == "floodwall-model").unwrap();
    let formats: Vec<_> =
        model.dependencies.iter().filter(|dependency| dependency.name.starts_with("serde")).collect();
    assert!(
        formats.is_empty(),
        "the model can be serialised: {formats:?}; convert at the border that sends or stores"
    );
}

#[test]
fn every_crate_takes_the_workspace_lints_and_is_described() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}: no `[lints] workspace = true`",
            package.name
        );
        assert_eq!(package.license.as_deref(), Some("Apache-2.0 OR MIT"), "{}", package.name);
        let named = format!("`{}`", package.name);
        assert!(architecture.contains(&named), "ARCHITECTURE.md does not describe {named}");
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        assert_eq!(folder, package.name.as_str(), "folder and crate have different names");
    }
}

#[test]
fn files_stay_readable() {
    const LINES_MAX: usize = 500;
    let sources = files(&root(), &[".rs", ".c", ".js", ".css"]);
    assert!(sources.len() > 50, "the walk found only {} files", sources.len());
    let long: Vec<_> = sources
        .iter()
        .map(|file| (file, std::fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines; is each one room, or several? {long:#?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in files(&root(), &[".md"]) {
        let text = std::fs::read_to_string(&document).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !elsewhere && !document.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}
