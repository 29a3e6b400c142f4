//! The figures of one scenario and one server, over all seeds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::state::{Run, State};

/// Look-ups that the sample site's database serves in a second: 20 at a time, 75 ms each on average.
pub(super) const LOOKUPS_PER_SECOND: f64 = 20.0 / 0.075;

/// What one run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) pages_percent: f64,
    pub(super) visits_percent: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Infinite where they never were protected.
    pub(super) protect_s: f64,
    pub(super) refused: f64,
    /// Of what the origin's database can serve.
    pub(super) origin_percent: f64,
    /// Look-ups that it turned away.
    pub(super) turned_away: f64,
    pub(super) memory_mb: f64,
    /// Of one processor.
    pub(super) cpu_percent: f64,
    /// Of the planned flood; 100 without one.
    pub(super) met_percent: f64,
}

/// One server in one scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) version: String,
    /// Runs that count.
    pub(super) runs: Vec<Figures>,
    /// Why others do not: void, or failed.
    pub(super) void: Vec<String>,
    /// Why those that count stand beside no other.
    pub(super) not_comparable: Vec<String>,
    /// How much was promised to people in the runs that count.
    pub(super) promised: usize,
    /// What of that was not kept, with the seed.
    pub(super) broken: Vec<String>,
    /// Why there is none, where the server cannot take part.
    pub(super) left_out: Option<String>,
    /// Runs that were not made yet.
    pub(super) missing: usize,
}

/// Name, seconds and title of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Title {
    pub(super) title: String,
    pub(super) has_onset: bool,
    pub(super) has_flood: bool,
    /// Seconds from the onset until the last flood or trouble ends.
    pub(super) lasts_s: f64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cells {
    cells: BTreeMap<(String, String), Cell>,
    titles: BTreeMap<String, Title>,
}

impl Cells {
    pub(super) fn read(state: &State, wanted: &[Run]) -> Self {
        let mut cells = Self::default();
        for run in wanted {
            cells.take_in(run, state.read(run).as_ref());
        }
        cells
    }

    pub(super) fn take_in(&mut self, run: &Run, said: Option<&Value>) {
        let cell = self.cells.entry((run.scenario.clone(), run.edge.clone())).or_default();
        let Some(said) = said else {
            cell.missing += 1;
            return;
        };
        let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if let Some(why) = text("/left_out/0/why") {
            cell.left_out = Some(why);
            return;
        }
        let seed = run.seed;
        let Some(figures) = said.pointer("/drills/0").and_then(figures) else {
            let why = text("/failed").unwrap_or("its result lacks a figure".to_owned());
            cell.void.push(format!("seed {seed}: {why}"));
            return;
        };
        cell.version = text("/drills/0/edge/version").unwrap_or_default();
        if let Some(why) = text("/drills/0/void") {
            cell.void.push(format!("seed {seed}: {why}"));
        } else {
            cell.not_comparable
                .extend(text("/drills/0/not_comparable").map(|why| format!("seed {seed}: {why}")));
            cell.runs.push(figures);
            let promises = said.pointer("/drills/0/promises").and_then(Value::as_array);
            for promise in promises.into_iter().flatten() {
                cell.promised += 1;
                cell.broken.extend(broken(promise).map(|words| format!("seed {seed}: {words}")));
            }
        }
        if let Some(title) = said.pointer("/drills/0/scenario").and_then(title) {
            self.titles.entry(run.scenario.clone()).or_insert(title);
        }
    }

    pub(super) fn get(&self, scenario: &str, edge: &str) -> Option<&Cell> {
        self.cells.get(&(scenario.to_owned(), edge.to_owned()))
    }

    pub(super) fn title(&self, scenario: &str) -> Option<&Title> {
        self.titles.get(scenario)
    }

    /// Every cell with its scenario and server.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &Cell)> {
        self.cells.iter().map(|((scenario, edge), cell)| (scenario.as_str(), edge.as_str(), cell))
    }
}

fn title(scenario: &Value) -> Option<Title> {
    let list = |key: &str| scenario.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_f64);
    let (floods, origin) = (list("floods"), list("origin"));
    let troubles = floods.iter().chain(&origin);
    let spans: Vec<(f64, f64)> =
        troubles.filter_map(|one| Some((number(one, "from_s")?, number(one, "until_s")?))).collect();
    let visitors = list("visitors");
    let surges = visitors.iter().filter_map(|one| number(one.get("surge")?, "from_s"));
    let begins = spans.iter().map(|(from, _)| *from).chain(surges);
    let onset = begins.chain(number(scenario, "certificate_expires_s")).min_by(f64::total_cmp);
    let ends = spans.iter().map(|(_, until)| *until).max_by(f64::total_cmp);
    Some(Title {
        title: scenario.get("title")?.as_str()?.to_owned(),
        has_onset: onset.is_some(),
        has_flood: !floods.is_empty(),
        lasts_s: ends.zip(onset).map_or(0.0, |(end, onset)| (end - onset).max(0.0)),
    })
}

fn figures(drill: &Value) -> Option<Figures> {
    let number = |pointer: &str| drill.pointer(pointer).and_then(Value::as_f64);
    let percent = |part: f64, whole: f64| if whole > 0.0 { part * 100.0 / whole } else { 0.0 };
    let share = |name: &str| number(&format!("/goodput/under_trouble/{name}"));
    let duration_s = number("/scenario/duration_s")?;
    let floods = drill.pointer("/floods_met").and_then(Value::as_array)?;
    let sum =
        |key: &str| -> f64 { floods.iter().filter_map(|flood| flood.get(key).and_then(Value::as_f64)).sum() };
    Some(Figures {
        pages_percent: percent(share("outcomes/arrived").unwrap_or(0.0), share("wants")?),
        visits_percent: percent(share("sessions_whole")?, share("sessions")?),
        p50_ms: share("p50_ms")?,
        p99_ms: share("p99_ms")?,
        protect_s: number("/goodput/time_to_protect_s").unwrap_or(f64::INFINITY),
        refused: share("outcomes/refused").unwrap_or(0.0),
        origin_percent: percent(number("/origin/lookups")?, LOOKUPS_PER_SECOND * duration_s),
        turned_away: number("/origin/lookups_refused")?,
        memory_mb: number("/edge_use/memory_peak_bytes")? / 1e6,
        cpu_percent: percent(number("/edge_use/cpu_s")?, duration_s),
        met_percent: if sum("planned") > 0.0 { percent(sum("met"), sum("planned")) } else { 100.0 },
    })
}

/// A promise that was not kept, in words.
fn broken(promise: &Value) -> Option<String> {
    let number = |key: &str| promise.get(key).and_then(Value::as_f64);
    if promise.get("kept")?.as_bool()? {
        return None;
    }
    let (side, bound) = match number("at_least") {
        Some(least) => ("at least", least),
        None => ("at most", number("at_most")?),
    };
    let figure = number("figure").map_or("never".to_owned(), |figure| format!("{figure:.2}"));
    Some(format!("{}: {figure}, promised {side} {bound}", promise.get("what")?.as_str()?))
}

/// One line on a run that has just ended.
pub(super) fn in_brief(said: &Value) -> String {
    let drill = said.pointer("/drills/0");
    let why = |key: &str| drill?.get(key)?.as_str();
    let left_out = said.pointer("/left_out/0/why").or_else(|| said.get("failed")).and_then(Value::as_str);
    if let Some(why) = left_out {
        return why.to_owned();
    }
    let Some(figures) = drill.and_then(figures) else { return "no figures".to_owned() };
    let words = format!("{:.1} % of pages, {:.1} % of visits", figures.pages_percent, figures.visits_percent);
    let not =
        why("void").map(|why| ("VOID", why)).or_else(|| Some(("NOT COMPARABLE", why("not_comparable")?)));
    not.map_or(words.clone(), |(not, why)| format!("{words}; {not}: {why}"))
}

/// Least, middle and greatest. With an even number of runs the middle is the lower of two.
pub(super) fn spread(runs: &[Figures], of: impl Fn(&Figures) -> f64) -> Option<(f64, f64, f64)> {
    let mut values: Vec<f64> = runs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len().saturating_sub(1) / 2)?;
    Some((*values.first()?, *middle, *values.last()?))
}
