//! Every setting there is: name, default, bounds and text. The reference in the documentation is
//! written from this list by a test, which holds the two together.

use std::time::Duration;

use floodwall_watch::AddressRule;

use super::calendar::{Day, ZoneName};
use super::definition::{Described, Fallback, Setting};
use super::forms::{AddressPrefix, FilePath, ListOf, ListenAddress, OneOf, Period, Size, Whole, Words};
use super::path::{Class, SitePath};
use super::query::Query;
use super::status::{PageAddress, PublishIncidents};
use super::target::{Host, HostName, OriginUrl};
use super::watch::{ADDRESS_RULES, OwnSites, ProbeUrl};
use super::{AccessLogFormat, AdmissionMode, Banner, Cleartext, VerifyCrawlers};

const SERVER: &str = "server";
const TIMEOUTS: &str = "server.timeouts";
const HANDSHAKES: &str = "server.handshakes";
const CACHE: &str = "server.cache";
const KEPT: &str = "server.kept";
const ACCESS_LOG: &str = "server.access_log";
const STORE: &str = "store";
const SITE: &str = "site";
const SITE_LIMITS: &str = "site.limits";
const SITE_CACHE: &str = "site.cache";
const SITE_QUERY: &str = "site.query";
const SITE_ADMISSION: &str = "site.admission";
const SITE_DETECTION: &str = "site.detection";
const CALENDAR: &str = "calendar";
const WATCH: &str = "watch";
const WATCHER: &str = "watcher";
const STATUS: &str = "status";

/// Every table, in the order of the documentation, and what it is for.
pub(super) const TABLES: &[(&str, &str)] = &[
    (SERVER, "Where Floodwall listens and how much it may take."),
    (TIMEOUTS, "Deadlines: how long a slow or silent peer is waited for."),
    (
        HANDSHAKES,
        "TLS handshakes: how many are begun. A full one costs the server many times what it costs the client; one by a ticket, as returning visitors bring it, counts as a quarter. Beyond that, new connections are closed at once.",
    ),
    (CACHE, "The shared cache in memory."),
    (
        KEPT,
        "Copies of public pages on disk, below `state`. They survive a restart and answer when the origin is gone and memory has nothing.",
    ),
    (ACCESS_LOG, "One line for every request. Without this table there is no access log."),
    (STORE, "The records Floodwall keeps below `state`."),
    (SITE, "One protected site; write the table once for each, with two brackets: `[[site]]`."),
    (SITE_LIMITS, "Limits on one client (an IPv4 address or an IPv6 /64) towards the site above it."),
    (SITE_CACHE, "What the cache does differently for the site above it."),
    (
        SITE_QUERY,
        "Which query parameters the pages of the site above it read. The others are left out, in the cache and towards the origin, so that random ones neither miss the cache nor make work.",
    ),
    (
        SITE_ADMISSION,
        "Who is let to the origin of the site above it when there is not room for all. In calm times nobody sees anything of it.",
    ),
    (SITE_DETECTION, "How unusual traffic is told from what is usual at the site above it."),
    (
        CALENDAR,
        "What the office knows beforehand, so that nobody takes it for an attack; write the table once for each, with two brackets: `[[calendar]]`.",
    ),
    (
        WATCH,
        "What is probed from this server as a visitor's computer would ([docs/watch.md](watch.md)); write the table once for each, with two brackets: `[[watch]]`.",
    ),
    (WATCHER, "The watch as a whole. It runs when there is a `[[watch]]`, or `own_sites` is on."),
    (
        STATUS,
        "The public status page: files for any web server, written anew at every change and once a minute ([docs/watch.md](watch.md)). Without this table none is written.",
    ),
];

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $form:ty = $table:ident . $key:ident, $default:expr, $example:literal, $reading:expr;)+) => {
        $(
            pub(super) static $name: Setting<$form> = Setting {
                table: $table,
                key: stringify!($key),
                default: $default,
                example: $example,
                doc: concat!($($doc),+).trim_ascii(),
                form: $reading,
            };
        )+

        /// Every setting, in the order of the documentation.
        pub(super) static ALL: &[&dyn Described] = &[$(&$name),+];
    };
}

use Fallback::{Required, Toml, Words as InWords};

const fn period(least: Duration, most: Duration) -> Period {
    Period(least, most)
}

/// A deadline that keeps a server usable: from a tenth of a second to an hour.
const DEADLINE: Period = period(Duration::from_millis(100), Duration::from_secs(3600));
const STALE: Period = period(Duration::ZERO, Duration::from_secs(30 * 86_400));
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

settings! {
    /// Addresses to answer HTTP in clear text on. `[]` for none.
    HTTP: ListOf<ListenAddress> = SERVER.http, Toml("[\"0.0.0.0:80\"]"), "[\"0.0.0.0:80\", \"[::]:80\"]", ListOf(ListenAddress::PUBLIC);
    /// Addresses to answer HTTPS on; needs a site with `certificate` and `key`.
    HTTPS: ListOf<ListenAddress> = SERVER.https, Toml("[]"), "[\"0.0.0.0:443\", \"[::]:443\"]", ListOf(ListenAddress::PUBLIC);
    /// Address of the console, metrics and the API. Keep it away from the public.
    ADMIN: ListenAddress = SERVER.admin, Toml("\"127.0.0.1:9800\""), "\"127.0.0.1:9800\"", ListenAddress::OPERATORS;
    /// Host names under which browsers open the console, besides `localhost` and addresses; any other name is turned away, so that no website can read it through a name of its own.
    ADMIN_HOSTS: ListOf<HostName> = SERVER.admin_hosts, Toml("[]"), "[\"floodwall.example.gov\"]", ListOf(HostName);
    /// Directory for everything Floodwall keeps.
    STATE: FilePath = SERVER.state, Toml("\"/var/lib/floodwall\""), "\"/var/lib/floodwall\"", FilePath;
    /// Proxies in front of Floodwall whose `X-Forwarded-For` or `Forwarded` is believed.
    TRUSTED_PROXIES: ListOf<AddressPrefix> = SERVER.trusted_proxies, Toml("[]"), "[\"192.0.2.0/24\"]", ListOf(AddressPrefix);
    /// Of the listeners above, those whose connections from trusted proxies begin with a PROXY protocol header, version 1 or 2, that says whose they are. There a proxy's connection without it is closed; others may not send one.
    PROXY_PROTOCOL: ListOf<ListenAddress> = SERVER.proxy_protocol, Toml("[]"), "[\"0.0.0.0:443\"]", ListOf(ListenAddress::PUBLIC);
    /// Networks with machines that the public must not reach, such as that of the voter registration database. No site has an origin there, unless its `role` is `"internal"`: neither by address, nor by a name that leads there.
    INTERNAL: ListOf<AddressPrefix> = SERVER.internal, Toml("[]"), "[\"10.9.0.0/16\"]", ListOf(AddressPrefix);
    /// How search engines' crawlers are told from those who only call themselves so: `dns` asks this host's resolver for the names of their addresses, a few times a second at most and never while a visitor waits; `off` asks nobody.
    VERIFY_CRAWLERS: OneOf<VerifyCrawlers> = SERVER.verify_crawlers, Toml("\"dns\""), "\"off\"", OneOf(VerifyCrawlers::WORDS);
    /// Files with the address ranges that crawlers' operators publish, as JSON (`{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}]}`). Who comes from one of them is let in as a verified crawler. Floodwall fetches none; SIGHUP reads them again.
    CRAWLER_RANGES: ListOf<FilePath> = SERVER.crawler_ranges, Toml("[]"), "[\"googlebot.json\", \"bingbot.json\"]", ListOf(FilePath);
    /// A database of autonomous systems (networks by operator) in MaxMind's DB form, as MaxMind, DB-IP and IPinfo give it away. With it an operator's network from which suddenly several times its usual part comes goes after others while there is not room for all. SIGHUP reads it again.
    AUTONOMOUS_SYSTEMS: FilePath = SERVER.autonomous_systems, InWords("none"), "\"GeoLite2-ASN.mmdb\"", FilePath;
    /// Network interface for the packet filter. Accepted, but without effect in this version.
    INTERFACE: Words = SERVER.interface, InWords("none"), "\"eth0\"", Words;
    /// Worker threads.
    WORKERS: Whole<usize> = SERVER.workers, InWords("one for each core"), "4", Whole::between(1, 1024);
    /// Connections open at once; further ones are closed at once. While more than half are open, one client that holds an eighth of them gets no more; trusted proxies do.
    CONNECTIONS_MAX: Whole<usize> = SERVER.connections_max, Toml("20000"), "20000", Whole::between(16, 10_000_000);
    /// Clients the limiter keeps track of at once. When there are more, the longest unseen is forgotten.
    TRACKED_PREFIXES: Whole<usize> = SERVER.tracked_prefixes, Toml("1048576"), "1048576", Whole::between(1024, 1 << 26);

    /// For the whole header of a request.
    HEADER: Period = TIMEOUTS.header, Toml("\"10s\""), "\"10s\"", DEADLINE;
    /// Without a byte of a request's body.
    BODY_IDLE: Period = TIMEOUTS.body_idle, Toml("\"30s\""), "\"30s\"", DEADLINE;
    /// Without the visitor taking a byte of the answer.
    WRITE_IDLE: Period = TIMEOUTS.write_idle, Toml("\"30s\""), "\"30s\"", DEADLINE;
    /// Without a new request on an open connection.
    KEEP_ALIVE_IDLE: Period = TIMEOUTS.keep_alive_idle, Toml("\"60s\""), "\"60s\"", DEADLINE;
    /// For connecting to an origin.
    CONNECT: Period = TIMEOUTS.connect, Toml("\"3s\""), "\"3s\"", DEADLINE;
    /// For the first byte of an origin's answer.
    ORIGIN_RESPONSE: Period = TIMEOUTS.origin_response, Toml("\"30s\""), "\"30s\"", DEADLINE;
    /// Without a further byte of an origin's answer.
    ORIGIN_IDLE: Period = TIMEOUTS.origin_idle, Toml("\"30s\""), "\"30s\"", DEADLINE;
    /// For a site's origins to come back when all are down, on behalf of up to 32 visitors who can be given nothing else. `"0s"` waits for none.
    ORIGIN_RETURN: Period = TIMEOUTS.origin_return, Toml("\"3s\""), "\"3s\"", period(Duration::ZERO, Duration::from_secs(60));
    /// For open requests to end when Floodwall is stopped.
    DRAIN: Period = TIMEOUTS.drain, Toml("\"10s\""), "\"10s\"", DEADLINE;

    /// Full handshakes a second, all clients together. What a core can do hangs on the certificate: with an RSA key a handshake takes several times as long as with ECDSA.
    HANDSHAKES_PER_SECOND: Whole<u32> = HANDSHAKES.per_second, InWords("1000 for each worker"), "2000", Whole::between(1, 1_000_000);
    /// Full handshakes a second of one client (an IPv4 address or an IPv6 /64), once half of `per_second` is taken; the less is left, the less one client gets, down to an eighth. Trusted proxies are not bounded by it.
    HANDSHAKES_CLIENT_PER_SECOND: Whole<u32> = HANDSHAKES.client_per_second, Toml("50"), "50", Whole::between(1, 1_000_000);
    /// Full handshakes of one client at once, on the same condition.
    HANDSHAKES_CLIENT_BURST: Whole<u32> = HANDSHAKES.client_burst, Toml("200"), "200", Whole::between(1, 1_000_000);
    /// Handshakes in progress at once, all clients together. While half are, one client that has a sixty-fourth of them gets no more.
    HANDSHAKES_IN_PROGRESS_MAX: Whole<u32> = HANDSHAKES.in_progress_max, Toml("4096"), "4096", Whole::between(16, 1_000_000);

    /// Memory for cached answers, all sites together.
    CACHE_MEMORY: Size = CACHE.memory, Toml("\"256MiB\""), "\"256MiB\"", Size(MIB, 1024 * GIB);
    /// Largest answer that is cached.
    OBJECT_MAX: Size = CACHE.object_max, Toml("\"16MiB\""), "\"16MiB\"", Size(KIB, 4 * GIB);
    /// How long past its freshness a copy goes on answering while the origin fails.
    STALE_IF_ERROR: Period = CACHE.stale_if_error, Toml("\"24h\""), "\"24h\"", STALE;

    /// How long a missing page (404, 410) that says nothing of it is answered from the cache, and 405, 414 and 501 at the most. `"0s"` for not at all.
    NEGATIVE: Period = CACHE.negative, Toml("\"10s\""), "\"10s\"", period(Duration::ZERO, Duration::from_secs(3600));
    /// Longest freshness of a page that states none but when it was last changed: a tenth of the time since then, up to this. Until then visitors may not see a correction.
    HEURISTIC_MAX: Period = CACHE.heuristic_max, Toml("\"5m\""), "\"5m\"", period(Duration::ZERO, Duration::from_secs(86_400));

    /// Room on disk for them. When it is full, addresses with a query go first, then the oldest.
    KEPT_SIZE: Size = KEPT.size, Toml("\"1GiB\""), "\"1GiB\"", Size(MIB, 1024 * GIB);
    /// How long after the origin last confirmed it a copy may answer, where the page itself does not say. `"0s"` keeps none.
    KEPT_MAX_AGE: Period = KEPT.max_age, Toml("\"30d\""), "\"30d\"", period(Duration::ZERO, Duration::from_secs(365 * 86_400));

    /// File to write to.
    LOG_PATH: FilePath = ACCESS_LOG.path, Required, "\"/var/log/floodwall/access.log\"", FilePath;
    /// `combined`, as other servers write it, or `json`, one object a line.
    LOG_FORMAT: OneOf<AccessLogFormat> = ACCESS_LOG.format, Toml("\"combined\""), "\"json\"", OneOf(AccessLogFormat::WORDS);
    /// Size at which the file is put aside and a new one begun.
    ROTATE_SIZE: Size = ACCESS_LOG.rotate_size, Toml("\"100MiB\""), "\"100MiB\"", Size(MIB, 1024 * GIB);
    /// Files put aside that are kept.
    KEEP_FILES: Whole<u32> = ACCESS_LOG.keep_files, Toml("5"), "5", Whole::between(1, 1000);

    /// Days that traffic by the minute is kept.
    RETENTION_DAYS: Whole<u32> = STORE.retention_days, Toml("400"), "400", Whole::between(1, 36_500);

    /// Short name for pages, metrics and records.
    NAME: Words = SITE.name, Required, "\"sos\"", Words;
    /// Host names the site answers to. `*.example.gov` stands for every name below `example.gov`; an exact name goes before it.
    HOSTS: ListOf<Host> = SITE.hosts, Required, "[\"www.sos.example.gov\"]", ListOf(Host);
    /// Servers the site's pages come from.
    ORIGIN: ListOf<OriginUrl> = SITE.origin, Required, "[\"http://10.0.0.5:8080\"]", ListOf(OriginUrl);
    /// Paths the site has; `/news/*` stands for all that begin so. Others are answered by Floodwall (404) and reach no origin: name `/robots.txt` too, and `/.well-known/acme-challenge/*` where the origin renews its certificates through here. `[]` for all paths.
    PATHS: ListOf<SitePath> = SITE.paths, Toml("[]"), "[\"/\", \"/news/*\", \"/polling-place*\"]", ListOf(SitePath);
    /// What an outage of the site means; shown with it in the console.
    ROLE: Words = SITE.role, InWords("none"), "\"public\"", Words;
    /// PEM file with the site's certificate and those that vouch for it, its own first.
    CERTIFICATE: FilePath = SITE.certificate, InWords("none"), "\"sos.pem\"", FilePath;
    /// PEM file with the certificate's private key.
    KEY: FilePath = SITE.key, InWords("none"), "\"sos.key\"", FilePath;
    /// What becomes of requests in clear text: `serve` answers them, `redirect` sends them to the same address over HTTPS.
    CLEARTEXT: OneOf<Cleartext> = SITE.cleartext, Toml("\"serve\""), "\"redirect\"", OneOf(Cleartext::WORDS);
    /// How long browsers, once they came over HTTPS, are to use nothing else for the site's hosts (HSTS). `"0s"` tells them nothing. Begin with a day: it cannot be taken back before it is over.
    HSTS: Period = SITE.hsts, Toml("\"0s\""), "\"365d\"", period(Duration::ZERO, Duration::from_secs(730 * 86_400));

    /// Requests a second that may take work at the origin, per client, however much room there is. 0 for no limit: `[site.admission]` shares what room there is.
    ORIGIN_RATE: Whole<u32> = SITE_LIMITS.origin_requests_per_second, Toml("0"), "20", Whole::between(0, 1_000_000);
    /// Such requests at once after a pause.
    ORIGIN_BURST: Whole<u32> = SITE_LIMITS.origin_burst, InWords("ten times `origin_requests_per_second`"), "200", Whole::between(1, 10_000_000);
    /// Requests a second of any kind, per client, cached answers included. 0 for no limit.
    RATE: Whole<u32> = SITE_LIMITS.requests_per_second, Toml("0"), "500", Whole::between(0, 1_000_000);
    /// Requests of any kind at once after a pause.
    BURST: Whole<u32> = SITE_LIMITS.burst, InWords("ten times `requests_per_second`"), "5000", Whole::between(1, 10_000_000);

    /// As in `[server.cache]`, for this site.
    SITE_STALE_IF_ERROR: Period = SITE_CACHE.stale_if_error, InWords("that of `[server.cache]`"), "\"72h\"", STALE;
    /// Whether a page that answers as a copy because the origin fails says so, in a line at its top with the copy's age. HTML that is not compressed only; `off` leaves pages as they are.
    BANNER: OneOf<Banner> = SITE_CACHE.banner, Toml("\"on\""), "\"off\"", OneOf(Banner::WORDS);

    /// A path and the parameters it reads. Of several that fit, the exact path holds, else the longest. A path that none fits keeps its query; `"/*?"` leaves it out everywhere else.
    QUERY_ALLOW: ListOf<Query> = SITE_QUERY.allow, Toml("[]"), "[\"/search?q&page\", \"/*?\"]", ListOf(Query);

    /// `on` decides and acts. `observe` decides and counts, and lets everybody through. `off` does neither.
    ADMISSION_MODE: OneOf<AdmissionMode> = SITE_ADMISSION.mode, Toml("\"on\""), "\"observe\"", OneOf(AdmissionMode::WORDS);
    /// Longest time a visitor waits for the origin before being told when to come back.
    WAIT_MAX: Period = SITE_ADMISSION.wait_max, Toml("\"3s\""), "\"3s\"", period(Duration::from_millis(100), Duration::from_secs(30));
    /// Paths that are never challenged, besides `/robots.txt`, `/.well-known/`, feeds and the like.
    ESSENTIAL: ListOf<SitePath> = SITE_ADMISSION.essential, Toml("[]"), "[\"/emergency\", \"/api/*\"]", ListOf(SitePath);
    /// Clients that are always let in first and asked for nothing: polling offices, monitors. This beats everything else.
    ALLOW: ListOf<AddressPrefix> = SITE_ADMISSION.allow, Toml("[]"), "[\"192.0.2.0/24\"]", ListOf(AddressPrefix);
    /// File with the keys of programs that may ask the site's API, one a line; after `#` comes what you like. A request that carries one (`X-Api-Key: KEY` or `Authorization: Bearer KEY`) is never challenged and goes before who has proven nothing, as long as the key asks for no more than a visitor's share. The origin gets the key as well, and decides what it opens. SIGHUP reads the file again.
    API_KEYS: FilePath = SITE_ADMISSION.api_keys, InWords("none"), "\"api-keys.txt\"", FilePath;
    /// Paths that cost the origin much more or less than others, in classes with a budget each. What no class names is of one more, `pages`.
    CLASSES: ListOf<Class> = SITE_ADMISSION.classes, Toml("[]"), "[\"look-up: /polling-place* /search\"]", ListOf(Class);
    /// Requests of one class that may be at the origin at once at the least, however slow it is.
    CONCURRENCY_MIN: Whole<u32> = SITE_ADMISSION.origin_requests_min, Toml("4"), "4", Whole::between(1, 10_000);
    /// And at the most, however quick it is.
    CONCURRENCY_MAX: Whole<u32> = SITE_ADMISSION.origin_requests_max, Toml("256"), "256", Whole::between(1, 10_000);
    /// Raise it by one to make everything void that visitors were given before.
    GENERATION: Whole<u16> = SITE_ADMISSION.generation, Toml("0"), "1", Whole::between(0, 65_535);

    /// By whose clock the site's visitors live: what is usual depends on their hour and day of the week. A name such as `"America/New_York"` where this host has the time zone database, a rule anywhere.
    TIME_ZONE: ZoneName = SITE_DETECTION.time_zone, Toml("\"UTC\""), "\"EST5EDT,M3.2.0,M11.1.0\"", ZoneName;

    /// The day, from midnight to midnight by the site's `time_zone`.
    CALENDAR_DATE: Day = CALENDAR.date, Required, "\"2026-11-03\"", Day;
    /// The last day, where there are several.
    CALENDAR_LAST: Day = CALENDAR.last, InWords("the same day"), "\"2026-11-04\"", Day;
    /// How many times the usual traffic may come. Left out, it is a holiday: people behave as on a Sunday.
    CALENDAR_EXPECT: Whole<u32> = CALENDAR.expect, InWords("none, a holiday"), "30", Whole::between(1, 1000);
    /// What people call it.
    CALENDAR_NAME: Words = CALENDAR.name, Required, "\"election\"", Words;
    /// Names of the sites it is for; `[]` for all.
    CALENDAR_SITES: ListOf<Words> = CALENDAR.sites, Toml("[]"), "[\"sos\"]", ListOf(Words);

    /// What it is called in records, metrics and on the status page: a service as people know it. No two of one name.
    WATCH_NAME: Words = WATCH.name, Required, "\"look up my polling place\"", Words;
    /// The same in Spanish, for the status page.
    WATCH_NAME_ES: Words = WATCH.name_es, InWords("`name`"), "\"dónde votar\"", Words;
    /// What is probed. Over HTTP redirects are followed, and the answer must be 2xx.
    WATCH_URL: ProbeUrl = WATCH.url, Required, "\"https://www.sos.example.gov/\"", ProbeUrl;
    /// Texts the page must contain, of HTTP: what makes it useful to people, such as a heading. A page without one of them is an outage, though its status is 200.
    WATCH_CONTAINS: ListOf<Words> = WATCH.contains, Toml("[]"), "[\"Find your polling place\"]", ListOf(Words);
    /// Name of the site it belongs to: detection is told of its outages, and the status page shows it there. What belongs to no site is not shown to the public.
    WATCH_SITE: Words = WATCH.site, InWords("none"), "\"sos\"", Words;
    /// Time from one probe to the next while what is seen and what is said agree.
    WATCH_INTERVAL: Period = WATCH.interval, Toml("\"60s\""), "\"30s\"", period(Duration::from_secs(5), Duration::from_secs(86_400));
    /// How many probes more against what is said than for it change it, both ways. An outage is dated back to the first.
    WATCH_CONFIRM: Whole<u8> = WATCH.confirm, Toml("3"), "3", Whole::between(1, 20);
    /// Time from one probe to the next while what is seen and what is said disagree; at most `interval`.
    WATCH_CONFIRM_INTERVAL: Period = WATCH.confirm_interval, Toml("\"10s\""), "\"5s\"", period(Duration::from_secs(1), Duration::from_secs(3600));
    /// Time that one probe of one address has; at most `interval`.
    WATCH_TIMEOUT: Period = WATCH.timeout, Toml("\"10s\""), "\"5s\"", period(Duration::from_millis(100), Duration::from_secs(60));
    /// Which addresses it may have: `public` ones only, or `any`, those of private networks and of this host too.
    WATCH_ADDRESSES: OneOf<AddressRule> = WATCH.addresses, Toml("\"public\""), "\"any\"", OneOf(ADDRESS_RULES);

    /// What this place to look from is called in records.
    WATCHER_VANTAGE: Words = WATCHER.vantage, Toml("\"here\""), "\"county data centre\"", Words;
    /// Asked after a failed probe: destinations that do not fail together with what is watched, such as the provider's router or a large public site. When none is reached either, the trouble is this server's own, and the time is unknown instead of down. Without one the two cannot be told apart.
    WATCHER_REFERENCES: ListOf<ProbeUrl> = WATCHER.references, Toml("[]"), "[\"tcp://gateway.example.net:443\"]", ListOf(ProbeUrl);
    /// `on` probes every exact host of every `[[site]]` too, over HTTPS where the site has a certificate, as the names resolve from here, to addresses inside too. It shows whether the sites answer from inside, and not whether the world reaches them; the probes count as requests.
    WATCHER_OWN_SITES: OneOf<OwnSites> = WATCHER.own_sites, Toml("\"off\""), "\"on\"", OneOf(OwnSites::WORDS);

    /// Directory for the page's files. It must exist and be the page's alone.
    STATUS_DIRECTORY: FilePath = STATUS.directory, Required, "\"/var/www/status\"", FilePath;
    /// The page's heading.
    STATUS_TITLE: Words = STATUS.title, Toml("\"Status of our websites\""), "\"Secretary of State: status of our websites\"", Words;
    /// The same in Spanish.
    STATUS_TITLE_ES: Words = STATUS.title_es, InWords("\"Estado de nuestros sitios web\" where `title` is left out, else `title`"), "\"Secretaría de Estado: estado de nuestros sitios web\"", Words;
    /// What people can do while a site is down; shown then.
    STATUS_HELP: Words = STATUS.help, InWords("none"), "\"Call 555-0100 to learn where you vote.\"", Words;
    /// The same in Spanish.
    STATUS_HELP_ES: Words = STATUS.help_es, InWords("`help`"), "\"Llame al 555-0100 para saber dónde votar.\"", Words;
    /// Where the page can be read; feeds need it to name it.
    STATUS_URL: PageAddress = STATUS.url, InWords("none, and no feed is written"), "\"https://status.example.gov/\"", PageAddress;
    /// Whether the page tells of unusual traffic: of what is at least 90 % likely to be an attack, a crowd or technical trouble, and of nothing less sure.
    STATUS_INCIDENTS: OneOf<PublishIncidents> = STATUS.incidents, Toml("\"on\""), "\"off\"", OneOf(PublishIncidents::WORDS);
}
