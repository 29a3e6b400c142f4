//! Tests of the settings as a whole: what is read, what is said of what is not.

mod damage;
mod documentation;

use std::fmt::Write;

use super::*;

/// The smallest whole file.
const SMALLEST: &str = "[[site]]
name = \"sos\"
hosts = [\"www.sos.example.gov\"]
origin = [\"http://10.0.0.5:8080\"]
";

/// Reads a text as the file `floodwall.toml` in `/etc/floodwall`.
fn read(text: &str) -> Result<(Settings, Faults), Faults> {
    Reading::of_text("floodwall.toml", Path::new("/etc/floodwall"), text, AnyHost::Refused).finish()
}

fn faults(text: &str) -> Faults {
    match read(text) {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults,
    }
}

fn usual_admission() -> Admission {
    Admission {
        mode: AdmissionMode::On,
        wait_max: Duration::from_secs(3),
        essential: vec![],
        allow: vec![],
        api_keys: None,
        classes: vec![],
        origin_requests: (4, 256),
        generation: 0,
    }
}

fn default_handshakes(cores: usize) -> Handshakes {
    let per_second = u32::try_from(cores).unwrap() * 1_000;
    Handshakes { per_second, client_per_second: 50, client_burst: 200, in_progress_max: 4_096 }
}

#[test]
fn a_site_alone_is_a_whole_file() {
    let (settings, warnings) = read(SMALLEST).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let seconds = Duration::from_secs;
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(
        settings.server,
        Server {
            http: vec!["0.0.0.0:80".parse().unwrap()],
            https: vec![],
            admin: "127.0.0.1:9800".parse().unwrap(),
            admin_hosts: Vec::new(),
            state: "/var/lib/floodwall".into(),
            trusted_proxies: vec![],
            proxy_protocol: vec![],
            internal: vec![],
            verify_crawlers: VerifyCrawlers::Dns,
            crawler_ranges: vec![],
            autonomous_systems: None,
            interface: None,
            workers: cores,
            connections_max: 20_000,
            tracked_prefixes: 1 << 20,
            timeouts: Timeouts {
                header: seconds(10),
                body_idle: seconds(30),
                write_idle: seconds(30),
                keep_alive_idle: seconds(60),
                connect: seconds(3),
                origin_response: seconds(30),
                origin_idle: seconds(30),
                origin_return: seconds(3),
                drain: seconds(10),
            },
            handshakes: default_handshakes(cores),
            cache: Cache {
                memory_bytes: 256 << 20,
                object_bytes_max: 16 << 20,
                stale_if_error: seconds(86_400),
                negative: seconds(10),
                heuristic_max: seconds(300),
            },
            kept: Kept { bytes: 1 << 30, max_age: seconds(30 * 86_400) },
            access_log: None,
        }
    );
    assert_eq!(settings.store, Store { retention_days: 400 });
    assert_eq!(
        settings.sites,
        [Site {
            name: "sos".to_owned(),
            hosts: vec![HostPattern::Exact("www.sos.example.gov".to_owned())],
            origins: vec![Origin { host: "10.0.0.5".to_owned(), port: 8080 }],
            role: None,
            certificate: None,
            origin_limit: None,
            request_limit: None,
            stale_if_error: None,
            banner: Banner::On,
            query: vec![],
            paths: vec![],
            cleartext: Cleartext::Serve,
            zone: Zone(jiff::tz::TimeZone::UTC),
            hsts: Some(Duration::ZERO),
            admission: usual_admission(),
        }]
    );
}

#[test]
fn what_is_written_is_what_holds() {
    let text = r#"
server.http = ["[::]:8080"]
server.https = ["0.0.0.0:8443"]
server.trusted_proxies = ["192.0.2.0/24", "2001:db8::/32"]
server.workers = 0x10
server.state = "state"
server.access_log = { path = "logs/access.log", format = "json", rotate_size = "1GiB" }
server.timeouts.header = "500ms"
store.retention_days = 7
[[site]]
name = "sos"
hosts = ["WWW.sos.example.gov", "*.sos.example.gov"]
origin = ["http://app-1:3000", "http://app-2"]
role = "public"
certificate = "tls/sos.pem"
key = "/etc/ssl/sos.key"
limits = { origin_requests_per_second = 0, requests_per_second = 50 }
cache.stale_if_error = "72h"
"#;
    let (settings, warnings) = read(text).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(settings.server.workers, 16);
    assert_eq!(settings.server.state, Path::new("/etc/floodwall/state"));
    assert_eq!(settings.server.timeouts.header, Duration::from_millis(500));
    assert_eq!(settings.server.timeouts.connect, Duration::from_secs(3));
    let log = settings.server.access_log.unwrap();
    assert_eq!(log.path, Path::new("/etc/floodwall/logs/access.log"));
    assert_eq!((log.format, log.rotate_bytes, log.keep_files), (AccessLogFormat::Json, 1 << 30, 5));
    let site = &settings.sites[0];
    assert_eq!(site.hosts[1].to_string(), "*.sos.example.gov");
    assert_eq!(site.origins[1].to_string(), "http://app-2:80");
    let certificate = site.certificate.as_ref().unwrap();
    assert_eq!(certificate.certificate, Path::new("/etc/floodwall/tls/sos.pem"));
    assert_eq!(certificate.key, Path::new("/etc/ssl/sos.key"));
    assert_eq!(site.origin_limit, None);
    assert_eq!(site.request_limit, Some(RateLimit { per_second: 50, burst: 500 }));
    assert_eq!(site.stale_if_error, Some(Duration::from_secs(72 * 3600)));
}

#[test]
fn a_site_from_the_command_line_answers_every_host() {
    let list = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let state = Path::new("/tmp/state");
    let (settings, warnings) = Settings::from_listen_and_origin(
        &list(&["127.0.0.1:8080"]),
        &list(&["http://127.0.0.1:3000"]),
        None,
        state,
    )
    .unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(settings.server.http, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(settings.server.state, state);
    assert_eq!(settings.sites[0].name, "site");
    assert_eq!(settings.sites[0].hosts, [HostPattern::Any]);

    let refused = Settings::from_listen_and_origin(
        &list(&["8080", "127.0.0.1:9800"]),
        &list(&["http://localhost:9800", "\"quoted\""]),
        Some("127.0.0.1:9800"),
        state,
    );
    insta::assert_snapshot!(refused.unwrap_err(), @r#"
    command line: error: --listen: `8080` is not an address with a port; write "0.0.0.0:8080"
    command line: error: --admin: 127.0.0.1:9800 is given twice: also as --listen; take one of them out, or change its port
    command line: error: --origin: the origin is Floodwall itself: --listen listens on 127.0.0.1:9800; write the address of the web server that is to be protected
    command line: error: --origin: `\"quoted\"` does not begin with `http://`; write for example "http://10.0.0.5:8080"
    "#);
}

/// A file in which most things are wrong.
const MANY: &str = r#"# A comment.
[server]
http = ["0.0.0.0:80", ":8080"]
https = ["0.0.0.0:443", "127.0.0.1:80"]
admin = "0.0.0.0:80"
workrs = 4
connections_max = "many"
trusted_proxies = ["192.0.2.9/24"]
retention_days = 7

[server.timeouts]
header = 10s
connect = "3 minutes"
drain = "2h"

[server.cache]
memory = "8MiB"
object_max = "16MB"

[[site]]
name = "sos"
hosts = ["www.sos.example.gov", "https://sos.example.gov/"]
origin = ["http://localhost:80"]
certificate = "sos.pem"

[[site]]
name = "sos"
hosts = "www.sos.example.gov"
origin = ["https://10.0.0.6"]

[site.limits]
origin_burst = 0

[[site]]
name = "county"
hosts = ["www.sos.example.gov"
origin = ["http://joe:s3cret@10.0.0.7"]
"#;

#[test]
fn every_fault_of_a_file_is_shown_at_once() {
    insta::assert_snapshot!(faults(MANY).render(TextForm::PLAIN));
}

#[test]
fn lines_are_numbered_alike_whatever_ends_and_begins_them() {
    for (text, line) in [
        ("[server]\nfoo = 1\n", 2),
        ("[server]\r\nfoo = 1\r\n", 2),
        ("\u{feff}[server]\nfoo = 1\n", 2),
        ("\u{feff}foo = 1\n", 1),
        ("[server]\r\n\r\nfoo = 1", 3),
    ] {
        let found = faults(text);
        let unknown = found.iter().find(|fault| fault.problem == "unknown key `foo`").unwrap();
        assert_eq!((unknown.line, unknown.column), (Some(line), Some(1)), "{text:?}");
        let shown = found.render(TextForm::PLAIN);
        assert!(
            shown.contains(&format!("[floodwall.toml:{line}:1]\n {line} │ foo = 1\n   · ───\n")),
            "{shown}"
        );
    }
}

#[test]
fn text_fits_a_narrow_terminal() {
    let narrow = faults("[[site]]\nname = \"a\"\nhosts = [\"a\"]\norigin = [\"https://a\"]\n");
    let shown = narrow.render(TextForm { color: false, columns: 60 });
    assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
}

#[test]
fn faults_are_given_as_json() {
    let text = "[server]\nadmin = \"0.0.0.0:9800\"\nhtpp = 1\n".to_owned() + SMALLEST;
    insta::assert_json_snapshot!(faults(&text).to_json());
}

#[test]
fn passwords_are_never_shown() {
    let shown = faults(MANY);
    assert!(
        !format!(
            "{shown} {shown:?} {} {}",
            shown.render(TextForm { color: true, columns: 80 }),
            shown.to_json()
        )
        .contains("s3cret")
    );
}

/// Each text stands below [`SMALLEST`] or, with `[server]`, above it.
#[test]
fn settings_are_compared_with_one_another() {
    let mut said = String::new();
    for text in [
        "http = []",
        "http = [\"0.0.0.0:80\", \"[::]:80\", \"[::1]:80\"]",
        "http = [\"127.0.0.1:0\", \"127.0.0.1:0\"]",
        "http = [\"127.0.0.1:80\", \"192.0.2.1:80\"]",
        "admin = \"127.0.0.1:80\"",
        "https = [\"0.0.0.0:443\"]",
        "interface = \"eth0\"",
        "trusted_proxies = [\"0.0.0.0/0\"]",
        "proxy_protocol = [\"0.0.0.0:80\", \"0.0.0.0:8080\"]",
        "cache.memory = \"1MiB\"",
        "cache.object_max = \"1GiB\"",
        "access_log = {}",
        "http = [\"10.0.0.5:8080\"]",
        "http = [\"443x\"]",
        "admin = \"0.0.0.0:80\"",
        "admin = \"[::1]:8080\"",
    ] {
        let found = faults(&format!("[server]\n{text}\n{SMALLEST}"));
        writeln!(said, "{text}\n{found}\n").unwrap();
    }
    for text in [
        "certificate = \"a.pem\"",
        "key = \"a.key\"\ncertificate = \"a.pem\"",
        "key = \"a.key\"\ncertificate = \"a.pem\"\n[server]\nhttps = [\"443x\"]",
        "cleartext = \"redirect\"",
        "cleartext = \"https\"\nhsts = \"5000d\"",
        "limits = { burst = 5 }",
        "[[site]]\nname = \"b\"\nhosts = [\"*\", \"www.SOS.example.gov\"]\norigin = [\"http://0.0.0.0:80\"]",
        "[[site]]\nname = \"b\"\nhosts = [\"*.b.gov\", \"a.b.gov\", \"*.b.gov\"]\norigin = [\"http://[::1]:80\", \"http://a\", \"http://A:80\"]",
        "[[site]]\nname = \"b\"\nhosts = []\norigin = []",
        "[[site]]",
    ] {
        writeln!(said, "{text}\n{}\n", faults(&format!("{SMALLEST}{text}\n"))).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn keys_and_types_that_do_not_fit() {
    let mut said = String::new();
    for text in [
        "",
        "sites = 1",
        "site = 3",
        "site = [1]",
        "[site]\nname = \"a\"",
        "server = \"x\"",
        "http = [\"0.0.0.0:80\"]",
        "[server]\nKeep-Alive-Idle = 1",
        "[server]\nzzz = 1",
        "[server.timeout]\nheader = \"1s\"",
        "[server]\nhttp = \"0.0.0.0:80\"\nhttps = [443]\nadmin = [\"127.0.0.1:1\"]",
        "[server]\nworkers = -1\nconnections_max = 99999999999999999999\ntracked_prefixes = 1.5",
        "[server.timeouts]\nheader = 10\nconnect = \"0s\"",
        "[server]\nstate = \"\"\naccess_log = { path = \"a\", format = \"xml\" }",
        "titel = 1\n[server]\nadmin = 9800\nhttp = [\"8080\", \":8443\"]",
        "[server]\nadmin = \":9800\"",
        "[server]\nadmin = \"console\"",
        "[server.cache]\nmemory = 256\n[[sites]]\nname = 5",
        "[[site]]\nname = 5\nhost = [\"a\"]\norigins = [\"http://a\"]",
    ] {
        writeln!(said, "{text}\n{}\n", faults(text)).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn reading_goes_on_after_syntax_faults() {
    let mut said = String::new();
    for text in [
        "[server]\nhttp = [\"0.0.0.0:80\"\nadmin = \"x\"\n[[site]]\nname = \"a\"\nhosts = [\"a\"]\norigin = [\"http://a\"]\n",
        "[server\nhttp = 0.0.0.0:80\nworkers = 1\n[[site]]\nname = \"a\nhosts = [\"a\" \"b\"]\norigin = [\"http://a\"\n  \"http://b\",\n]\nrole == 3\n",
        "[[site]]\nname = \"a\"\nname = \"b\"\nhosts = [\"a\"]\norigin = [\"http://a\"]\n[server]\nworkers = 1\n[server]\nworkers = 2\n",
        "[server.timeouts]\nheader = 10s\nfoo\nconnect =\n= 1\n",
        "[[site]]\nname = \"\"\"a\nhosts = [\"a\"]\norigin = [\"http://a\"]\n",
        "[[site\nname = \"a\"\n[site.limits]\nburst = 1\n[[site]]\nname = \"a\"\nhosts = [\"a\"]\norigin = [\"http://a\"]\n",
        "server = { http = [\"0.0.0.0:80\"]\n",
        "just a text, no settings",
        "server.workers = 2, http = []\n[store]\nretention_days = 5 days",
        "{\"server\": {}}",
    ] {
        writeln!(said, "{text}\n{}\n", faults(text)).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// These take minutes where each fault is worked out, shown or not.
#[test]
fn large_files_that_are_no_settings_are_told_so() {
    let found = faults(&"x\n".repeat(500_000));
    assert!(found.iter().any(|fault| fault.problem == "more than 2 syntax faults"), "{found}");
    let found = faults(&"[[site]]\n".repeat(70_000));
    assert!(found.render(TextForm::PLAIN).contains("more faults are not shown"));
}

#[test]
fn unreadable_files_say_so() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("floodwall.toml");
    let load = || Settings::load(&file).unwrap_err();
    assert!(load().is_unreadable());
    std::fs::write(&file, b"[[site]]\nname = \"\xff\"\n").unwrap();
    assert!(load().is_unreadable());
    assert!(load().to_string().contains("is not UTF-8 in line 2"), "{}", load());
    std::fs::write(&file, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(load().to_string().contains("is larger than 1MiB"), "{}", load());
    std::fs::write(&file, SMALLEST).unwrap();
    assert!(Settings::load(&file).is_ok());
}

#[test]
fn query_rules_are_read_and_compared() {
    let with = |rules: &str| format!("{SMALLEST}query.allow = [{rules}]\n");
    let (settings, warnings) = read(&with("\"/search?q&page\", \"/*?\", \"/?\"")).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let shown: Vec<String> = settings.sites[0].query.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["/search?q&page", "/*?", "/?"]);
    let said = faults(&with("\"/search?q\", \"/search?page\", \"/a\"")).to_string();
    assert_eq!(
        said,
        "floodwall.toml:5:29: error: site[0].query.allow: `/search` has a rule already (line 5); write all names of one path into one rule\n\
         floodwall.toml:5:45: error: site[0].query.allow: `/a` has no `?`; write \"/a?\" to keep none, or the names to keep behind `?`"
    );
}

#[test]
fn admission_is_read_and_compared() {
    let with = |lines: &str| format!("{SMALLEST}[site.admission]\n{lines}\n");
    let text = with("mode = \"observe\"\nclasses = [\"look-up: /find* /search\"]\nessential = [\"/api/*\"]");
    let (settings, _) = read(&text).unwrap();
    let admission = &settings.sites[0].admission;
    assert_eq!((admission.mode, admission.classes[0].paths.len()), (AdmissionMode::Observe, 2));
    let faults = read(&with("classes = [\"a: /b\", \"a: /c\", \"pages: /d\"]\norigin_requests_min = 300"))
        .unwrap_err();
    insta::assert_snapshot!(faults);
}

#[test]
fn what_the_public_must_not_reach_is_no_origin_of_a_public_site() {
    let with = |role: &str| format!("{SMALLEST}{role}\n[server]\ninternal = [\"10.0.0.0/24\"]\n");
    let said = faults(&with("role = \"public\"")).to_string();
    assert!(
        said.contains(
            "http://10.0.0.5:8080 is in 10.0.0.0/24, which server.internal keeps out of the public's reach"
        ),
        "{said}"
    );
    assert!(read(&with("role = \"internal\"")).is_ok());
}
