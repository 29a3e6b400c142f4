//! The definitions, the example and the documentation say the same.

use std::fmt::Write;

use super::super::definition::{Described, Fallback};
use super::super::fault::Fault;
use super::super::keys::{ALL, TABLES};
use super::super::section::heading;
use super::*;

const EXAMPLE: &str = include_str!("../../../../../floodwall.example.toml");
const DOCUMENTATION: &str = include_str!("../../../../../docs/configuration.md");

/// The example with its commented settings put in force.
pub(super) fn example_in_full() -> String {
    let uncomment = |line: &str| match line.strip_prefix("# ") {
        Some(rest)
            if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(|line| uncomment(line) + "\n").collect()
}

#[test]
fn the_example_is_good_and_names_every_setting() {
    let (_, warnings) = read(EXAMPLE).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let full = example_in_full();
    let (_, warnings) = read(&full).unwrap();
    let expected = ["server.interface"];
    assert_eq!(warnings.iter().map(|w| w.key.as_str()).collect::<Vec<_>>(), expected, "{warnings}");
    for setting in ALL {
        let written = full.lines().any(|line| line.starts_with(&format!("{} = ", setting.key())));
        assert!(written, "`{}` of `{}` is missing in the example", setting.key(), setting.table());
    }
}

/// The settings as a Markdown reference: one heading for each table, one entry for each key.
fn reference() -> String {
    let mut text = String::new();
    for (table, purpose) in TABLES {
        let heading = heading(table);
        writeln!(text, "### `{heading}`\n\n{purpose}\n").unwrap();
        for setting in ALL.iter().filter(|s| s.table() == *table) {
            let (key, entry) = (setting.key(), setting.entry());
            let default = match entry.default {
                Fallback::Toml(value) => format!("Default: `{value}`."),
                Fallback::Words(words) => format!("Default: {words}."),
                Fallback::Required => "Required.".to_owned(),
            };
            write!(text, "- **`{key}`**: {} Takes {}. {default}", entry.doc, entry.expected).unwrap();
            if default_text(entry.default) != Some(entry.example) {
                write!(text, " Example: `{key} = {}`", entry.example).unwrap();
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text + &format!("At most {SITES_MAX} sites.\n")
}

#[test]
fn the_documentation_holds_the_reference() {
    let reference = reference();
    assert!(
        DOCUMENTATION.contains(reference.trim()),
        "put this into docs/configuration.md in place of its reference:\n\n{reference}"
    );
}

#[test]
fn definitions_hold_together() {
    for setting in ALL {
        let name = format!("{}.{}", setting.table(), setting.key());
        assert!(TABLES.iter().any(|(table, _)| *table == setting.table()), "{name}: unknown table");
        assert!(setting.entry().doc.ends_with('.'), "{name}: the text is a sentence");
        let same = |other: &&&dyn Described| (other.table(), other.key()) == (setting.table(), setting.key());
        assert_eq!(ALL.iter().filter(same).count(), 1, "{name} is defined twice");
        for value in
            [Some(setting.entry().example), default_text(setting.entry().default)].into_iter().flatten()
        {
            let text = in_its_table(setting.table(), setting.key(), value);
            let mut log = Log::new("floodwall.toml", &text);
            let _ = Draft::read(&text, Path::new(""), &mut log);
            let own = |fault: &&Fault| fault.key.ends_with(&format!(".{}", setting.key()));
            assert_eq!(log.faults.iter().find(own), None, "{name} = {value}");
        }
    }
}

fn default_text(default: Fallback) -> Option<&'static str> {
    match default {
        Fallback::Toml(text) => Some(text),
        Fallback::Words(_) | Fallback::Required => None,
    }
}

fn in_its_table(table: &str, key: &str, value: &str) -> String {
    match table {
        "site" => {
            let others = SMALLEST.lines().filter(|line| !line.starts_with(&format!("{key} = ")));
            others.collect::<Vec<_>>().join("\n") + &format!("\n{key} = {value}\n")
        }
        "calendar" | "watch" => format!("{SMALLEST}[[{table}]]\n{key} = {value}\n"),
        _ if table.starts_with("site") => format!("{SMALLEST}[{table}]\n{key} = {value}\n"),
        _ => format!("[{table}]\n{key} = {value}\n{SMALLEST}"),
    }
}
