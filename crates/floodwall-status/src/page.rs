//! The page itself: facts into views, views into a template that only puts them in their places.

use askama::Template;
use floodwall_outage::{Availability, OutageRecord, Span};

use crate::StatusError;
use crate::facts::{Facts, Incident, Service, ServiceState, Site};
use crate::figures::{DAYS, Day, all_days, bounds, days, months};
use crate::text::{Language, per_cent, rfc_3339, span};

/// Bytes of a page. Where everything that there is takes more, the page holds less of it, and says so.
pub const PAGE_BYTES_MAX: usize = 60 << 10;

/// How much a page holds.
#[derive(Clone, Copy, Debug)]
struct Room {
    sites: usize,
    /// Of each site.
    services: usize,
    /// Outages, all sites together.
    outages: usize,
    /// Rows of days, all sites together.
    day_rows: usize,
    has_months: bool,
}

/// From all that fits in a usual page to what fits in any.
const ROOMS: [Room; 5] = [
    Room { sites: 20, services: 12, outages: 40, day_rows: 240, has_months: true },
    Room { sites: 20, services: 12, outages: 20, day_rows: 60, has_months: true },
    Room { sites: 20, services: 12, outages: 20, day_rows: 0, has_months: false },
    Room { sites: 20, services: 3, outages: 10, day_rows: 0, has_months: false },
    Room { sites: 8, services: 2, outages: 5, day_rows: 0, has_months: false },
];

/// Characters of a name.
const NAME_CHARS_MAX: usize = 80;

/// Unusual traffic that a page shows.
const INCIDENTS_MAX: usize = 10;

/// A moment for people and for programs.
struct Moment {
    text: String,
    machine: String,
}

/// A state by its shape and its words.
struct StateView {
    /// Names the shape: `up`, `partly`, `unknown`, `down`.
    shape: &'static str,
    words: String,
}

struct ServiceView {
    name: String,
    state: StateView,
    /// Since when, and why; empty where there is nothing to add.
    more: String,
}

struct MonthRow {
    month: String,
    service: String,
    available: String,
    down: String,
    unknown: String,
}

/// One day, or several that are alike.
struct DayRow {
    days: String,
    cells: Vec<String>,
}

struct SiteView {
    id: String,
    name: String,
    state: StateView,
    services: Vec<ServiceView>,
    months: Vec<MonthRow>,
    columns: Vec<String>,
    days: Vec<DayRow>,
}

struct OutageRow {
    id: String,
    what: String,
    from: Moment,
    /// `None` while it goes on.
    to: Option<Moment>,
    length: String,
    why: String,
}

struct IncidentRow {
    what: String,
    site: String,
    from: Moment,
    to: Option<Moment>,
    is_interrupted: bool,
}

#[derive(Template)]
#[template(path = "status.html")]
struct Page<'f> {
    l: Language,
    title: &'f str,
    summary: StateView,
    help: Option<&'f str>,
    made: Moment,
    stale: Moment,
    sites: Vec<SiteView>,
    outages: Vec<OutageRow>,
    incidents: Vec<IncidentRow>,
    /// Whether more is on record than the page shows.
    is_cut: bool,
    has_feed: bool,
    vantages: String,
}

impl Page<'_> {
    fn t<'w>(&self, english: &'w str, spanish: &'w str) -> &'w str {
        self.l.of(english, spanish)
    }
}

/// The page, with as much in it as there is room for.
pub(crate) fn page(facts: &Facts, language: Language) -> Result<String, StatusError> {
    let mut page = String::new();
    for room in ROOMS {
        page = page_with(facts, language, room)?;
        if page.len() <= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(page)
}

fn page_with(facts: &Facts, language: Language, room: Room) -> Result<String, StatusError> {
    let good_for = i64::try_from(facts.good_for.as_micros()).unwrap_or(i64::MAX);
    let moment = |unix_micros| moment(facts, language, unix_micros);
    let mut left = room;
    let shown = facts.sites.iter().take(room.sites).zip(1..);
    let sites: Vec<_> =
        shown.map(|(site, number)| site_view(facts, language, site, number, &mut left)).collect();
    let mut all = outages(facts);
    let is_cut = facts.sites.len() > room.sites
        || facts.sites.iter().any(|site| site.services.len() > room.services)
        || all.len() > room.outages
        || left.day_rows == 0;
    all.truncate(room.outages);
    let is_down = facts.sites.iter().any(|site| site.state() == ServiceState::Down);
    let mut vantages: Vec<_> = facts
        .sites
        .iter()
        .flat_map(|site| &site.services)
        .map(|service| shortened(&service.vantage))
        .collect();
    vantages.sort_unstable();
    vantages.dedup();
    let outage_rows = all.into_iter().map(|outage| outage_row(facts, language, outage));
    let incidents = facts.incidents.iter().take(INCIDENTS_MAX);
    let page = Page {
        l: language,
        title: language.wording(&facts.title),
        summary: summary(facts, language),
        help: facts.help.as_ref().filter(|_| is_down).map(|help| language.wording(help)),
        made: moment(facts.made_unix_micros),
        stale: moment(facts.made_unix_micros.saturating_add(good_for)),
        sites,
        outages: outage_rows.collect(),
        incidents: incidents.map(|one| incident_row(facts, language, one)).collect(),
        is_cut: is_cut && !facts.sites.is_empty(),
        has_feed: facts.url.is_some(),
        vantages: vantages.join(", "),
    };
    Ok(page.render()?)
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}\u{2026}", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

fn moment(facts: &Facts, language: Language, unix_micros: i64) -> Moment {
    Moment { text: language.moment(unix_micros, &facts.zone), machine: rfc_3339(unix_micros) }
}

fn shape(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => "up",
        ServiceState::UpOverIpv4 => "partly",
        ServiceState::Unknown => "unknown",
        ServiceState::Down => "down",
    }
}

fn site_state(site: &Site, language: Language) -> StateView {
    if site.is_partly_down() {
        let words = language.of("Partly down", "No funciona en parte").to_owned();
        return StateView { shape: "partly", words };
    }
    let state = site.state();
    StateView { shape: shape(state), words: language.state(state).to_owned() }
}

/// All of it in one sentence.
fn summary(facts: &Facts, l: Language) -> StateView {
    let count = |state| facts.sites.iter().filter(|site| site.state() == state).count();
    let (down, unknown, all) = (count(ServiceState::Down), count(ServiceState::Unknown), facts.sites.len());
    let say = |shape, english: String, spanish: String| StateView {
        shape,
        words: if l == Language::English { english } else { spanish },
    };
    match (down, unknown) {
        (0, 0) => {
            say("up", "All of our sites work.".to_owned(), "Todos nuestros sitios funcionan.".to_owned())
        }
        (0, unknown) if unknown == all => say(
            "unknown",
            "Nothing can be said of our sites at the moment.".to_owned(),
            "En este momento no se puede decir nada de nuestros sitios.".to_owned(),
        ),
        (0, unknown) => say(
            "unknown",
            format!("No trouble is known. Of {unknown} of {all} sites nothing can be said at the moment."),
            format!(
                "No se conocen problemas. De {unknown} de {all} sitios no se puede decir nada en este momento."
            ),
        ),
        (down, _) if all == 1 => {
            debug_assert_eq!(down, 1);
            say(
                "down",
                "There is trouble with our site.".to_owned(),
                "Hay problemas con nuestro sitio.".to_owned(),
            )
        }
        (down, _) => say(
            "down",
            format!("There is trouble with {down} of our {all} sites."),
            format!("Hay problemas con {down} de nuestros {all} sitios."),
        ),
    }
}

fn site_view(facts: &Facts, l: Language, site: &Site, number: usize, left: &mut Room) -> SiteView {
    let services = || site.services.iter().take(left.services);
    let mut figures: Vec<_> = Vec::new();
    if left.has_months {
        figures.extend(services().flat_map(|service| figures_of(facts, l, service)));
    }
    let mut days = Vec::new();
    if left.day_rows > 0 {
        days = day_rows(facts, l, &services().collect::<Vec<_>>());
        days.truncate(left.day_rows);
    }
    let view = SiteView {
        id: format!("site-{number}"),
        name: shortened(&site.name),
        state: site_state(site, l),
        services: services().map(|service| service_view(facts, l, service)).collect(),
        months: figures,
        columns: services().map(|service| shortened(service.name_in(l))).collect(),
        days,
    };
    left.day_rows -= view.days.len();
    view
}

/// All days together, then month by month.
fn figures_of(facts: &Facts, l: Language, service: &Service) -> Vec<MonthRow> {
    let whole = all_days(service, facts).map(|(figures, since)| {
        let label = since.map_or_else(
            || l.of("Last 90 days", "Últimos 90 días").to_owned(),
            |since| format!("{} {}", l.of("Since", "Desde el"), l.date(since)),
        );
        month_row(l, service, label, figures)
    });
    let months = months(service, facts).into_iter();
    let months = months.map(|month| month_row(l, service, l.month(month.first), month.figures));
    whole.into_iter().chain(months).collect()
}

fn service_view(facts: &Facts, l: Language, service: &Service) -> ServiceView {
    let more = match (service.state, service.open()) {
        (ServiceState::Down, Some(open)) => {
            let since = l.moment(open.outage.start.middle_unix_micros(), &facts.zone);
            let why = service.cause.map_or(String::new(), |cause| format!(": {}", l.cause(cause)));
            match l {
                Language::English => format!("since {since}{why}"),
                Language::Spanish => format!("desde el {since}{why}"),
            }
        }
        (ServiceState::Unknown, Some(_)) => {
            l.of("when last seen it was down", "la última vez no funcionaba").to_owned()
        }
        (ServiceState::Unknown, None) => {
            l.of("it cannot be checked at the moment", "en este momento no se puede comprobar").to_owned()
        }
        _ => String::new(),
    };
    let state = StateView { shape: shape(service.state), words: l.state(service.state).to_owned() };
    ServiceView { name: shortened(service.name_in(l)), state, more }
}

fn month_row(l: Language, service: &Service, month: String, figures: Availability) -> MonthRow {
    let available = match (figures.parts_per_million(), figures.range_parts_per_million()) {
        (Some(share), Some((least, most))) if least / 100 != most / 100 => {
            let (share, least, most) = (per_cent(share), per_cent(least), per_cent(most));
            match l {
                Language::English => format!("{share} (between {least} and {most})"),
                Language::Spanish => format!("{share} (entre {least} y {most})"),
            }
        }
        (Some(share), _) => per_cent(share),
        (None, _) => l.of("not known", "no se sabe").to_owned(),
    };
    let time = |micros: u64| if micros < 500_000 { l.of("none", "nada").to_owned() } else { span(micros) };
    MonthRow {
        month,
        service: shortened(service.name_in(l)),
        available,
        down: time(figures.down_micros),
        unknown: time(figures.unknown_micros),
    }
}

/// Seconds of a day that are not worth a row.
const UNKNOWN_SHOWN_MICROS: u64 = 60_000_000;

fn day_words(l: Language, day: &Day) -> String {
    let Some(figures) = day.figures else {
        return l.of("not watched yet", "aún no se vigilaba").to_owned();
    };
    let mut words = match (day.outages, figures.down_micros) {
        (0, _) => l.of("no outage", "sin fallos").to_owned(),
        (count, micros) => {
            let length = span(micros);
            match (l, count) {
                (Language::English, 1) => format!("down {length}"),
                (Language::English, count) => format!("down {length} in {count} outages"),
                (Language::Spanish, 1) => format!("sin servicio {length}"),
                (Language::Spanish, count) => format!("sin servicio {length} en {count} fallos"),
            }
        }
    };
    if figures.unknown_micros >= UNKNOWN_SHOWN_MICROS {
        let unknown = span(figures.unknown_micros);
        words = match l {
            Language::English => format!("{words}, {unknown} not known"),
            Language::Spanish => format!("{words}, {unknown} sin datos"),
        };
    }
    words
}

/// Today first; days that say the same of every service are one row.
fn day_rows(facts: &Facts, l: Language, services: &[&Service]) -> Vec<DayRow> {
    let bounds = bounds(facts);
    let each: Vec<Vec<Day>> = services.iter().map(|service| days(service, facts, &bounds)).collect();
    let mut rows: Vec<(jiff::civil::Date, jiff::civil::Date, Vec<String>)> = Vec::new();
    for place in 0..usize::from(DAYS) {
        let of_day: Vec<_> = each.iter().filter_map(|days| days.get(place)).collect();
        let Some(date) = of_day.first().map(|day| day.date) else { continue };
        let cells: Vec<_> = of_day.into_iter().map(|day| day_words(l, day)).collect();
        match rows.last_mut() {
            Some((_, oldest, known)) if *known == cells => *oldest = date,
            _ => rows.push((date, date, cells)),
        }
    }
    let row = |(newest, oldest, cells): (jiff::civil::Date, jiff::civil::Date, Vec<String>)| {
        let days = if newest == oldest {
            l.date(newest)
        } else {
            let (from, to) = (l.date(oldest), l.date(newest));
            match l {
                Language::English => format!("{from} to {to}"),
                Language::Spanish => format!("del {from} al {to}"),
            }
        };
        DayRow { days, cells }
    };
    rows.into_iter().map(row).collect()
}

/// Every outage of the last days, newest first, and whether it was over IPv6 only.
fn outages(facts: &Facts) -> Vec<(&Site, &Service, &OutageRecord, bool)> {
    let window = i64::from(DAYS).saturating_mul(86_400_000_000);
    let span = Span {
        start_unix_micros: facts.made_unix_micros.saturating_sub(window),
        end_unix_micros: facts.made_unix_micros,
    };
    let is_shown = |row: &&OutageRecord| {
        row.outage.end.is_none_or(|end| end.latest_unix_micros >= span.start_unix_micros)
    };
    let mut all = Vec::new();
    for site in &facts.sites {
        for service in &site.services {
            all.extend(service.outages.iter().filter(is_shown).map(|row| (site, service, row, false)));
            all.extend(service.outages_ipv6.iter().filter(is_shown).map(|row| (site, service, row, true)));
        }
    }
    all.sort_by_key(|(_, _, row, _)| std::cmp::Reverse(row.outage.start.latest_unix_micros));
    all
}

fn outage_row(facts: &Facts, l: Language, outage: (&Site, &Service, &OutageRecord, bool)) -> OutageRow {
    let (site, service, row, only_ipv6) = outage;
    let outage = &row.outage;
    let over = if only_ipv6 { l.of(" (over IPv6 only)", " (solo por IPv6)") } else { "" };
    let why = outage.cause().map_or(String::new(), |cause| l.cause(cause).to_owned());
    let mut letters = why.chars();
    let why = letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect());
    OutageRow {
        id: row.key.to_string(),
        what: format!("{}: {}{over}", shortened(&site.name), shortened(service.name_in(l))),
        from: moment(facts, l, outage.start.middle_unix_micros()),
        to: outage.end.map(|end| moment(facts, l, end.middle_unix_micros())),
        length: l.length(row, facts.made_unix_micros),
        why,
    }
}

fn incident_row(facts: &Facts, l: Language, incident: &Incident) -> IncidentRow {
    IncidentRow {
        what: l.incident(incident.kind).to_owned(),
        site: shortened(&incident.site),
        from: moment(facts, l, incident.onset_unix_micros),
        to: incident.end_unix_micros.map(|end| moment(facts, l, end)),
        is_interrupted: incident.is_interrupted,
    }
}
