//! Files in a temporary folder, checked on machines made up for the test.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::doctor::fixture::{Fixture, NOW};

/// A settings file in a folder of its own, to be checked on a machine.
struct Office {
    folder: TempDir,
    machine: Fixture,
}

impl Office {
    fn new(text: &str, machine: Fixture) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("floodwall.toml"), text).unwrap();
        Self { folder, machine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Status, standard output and standard error, the folder's own name taken out.
    fn check_with(&self, change: impl Fn(&mut Options)) -> (u8, String, String) {
        let mut options = Options {
            config: self.path("floodwall.toml"),
            json: false,
            offline: false,
            form: TextForm::PLAIN,
        };
        change(&mut options);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = run_on(&self.machine, &options, &mut out, &mut err);
        let folder = format!("{}/", self.folder.path().display());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&folder, "");
        (status, text(out), text(err))
    }

    /// Every fault as `severity key: problem; fix`.
    fn faults(&self) -> String {
        let (_, out, _) = self.check_with(|options| options.json = true);
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        let word = |fault: &serde_json::Value, key: &str| fault[key].as_str().unwrap().to_owned();
        let line = |f: &serde_json::Value| {
            let (severity, key, problem, fix) =
                (word(f, "severity"), word(f, "key"), word(f, "problem"), word(f, "fix"));
            format!("{severity} {} {key}: {problem}; {fix}\n", f["line"])
        };
        document["faults"].as_array().unwrap().iter().map(line).collect()
    }
}

const SITE: &str = "[[site]]
name = \"sos\"
hosts = [\"www.sos.example.gov\"]
origin = [\"http://10.0.0.5:8080\"]
";

fn reachable() -> Fixture {
    Fixture::office().with_server("10.0.0.5:8080", None)
}

#[test]
fn a_good_file_says_so() {
    let office = Office::new(SITE, reachable());
    assert_eq!(office.check_with(|_| ()), (0, "floodwall.toml is good: 1 site\n".to_owned(), String::new()));
    let (status, out, err) = office.check_with(|options| options.json = true);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(document["good"], true);
    assert_eq!(document["faults"], serde_json::json!([]));
}

#[test]
fn faults_of_file_and_machine_come_together_in_the_order_of_the_file() {
    let text = format!("[server]\nhttp = [\"0.0.0.0:80\"]\nworkrs = 4\nadmin = \"127.0.0.1:9800\"\n{SITE}");
    let machine = Fixture::office().with_port(80, ErrorKind::AddrInUse);
    let (status, out, err) = Office::new(&text, machine).check_with(|_| ());
    assert_eq!((status, out.as_str()), (1, ""));
    insta::assert_snapshot!(err);
}

#[test]
fn offline_looks_at_the_file_alone() {
    let text = format!(
        "{SITE}certificate = \"absent.pem\"\nkey = \"absent.key\"\n[server]\nhttps = [\"0.0.0.0:443\"]\n"
    );
    let office = Office::new(&text, Fixture::office().with_port(443, ErrorKind::AddrInUse));
    assert_eq!(office.check_with(|_| ()).0, 1);
    let (status, out, err) = office.check_with(|options| options.offline = true);
    let said = "floodwall.toml is good: 1 site; the machine was not looked at (--offline)\n";
    assert_eq!((status, out.as_str(), err.as_str()), (0, said, ""));
}

#[test]
fn a_file_that_cannot_be_read_is_told_apart() {
    let office = Office::new(SITE, reachable());
    let (status, out, err) =
        office.check_with(|options| options.config = Path::new("/nonexistent/f.toml").into());
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("/nonexistent/f.toml: error: cannot be read: No such file or directory"), "{err}");
}

#[test]
fn ports_and_directories() {
    let server = "[server]\nhttp = [\"0.0.0.0:80\", \"198.51.100.9:81\", \"127.0.0.1:8080\", \"127.0.0.1:82\"]\nstate = \"/srv/state\"\n\
                  access_log.path = \"/var/log/floodwall/access.log\"\n";
    let machine = reachable()
        .with_port(80, ErrorKind::PermissionDenied)
        .with_port(81, ErrorKind::AddrNotAvailable)
        .with_port(82, ErrorKind::InvalidInput)
        .with_port(8080, ErrorKind::AddrInUse)
        .with_port(9800, ErrorKind::AddrInUse)
        .with_text(
            "/proc/net/tcp",
            "0: 0100007F:1F90 0:0 0A 0:0 0:0 0 0 0 11 1\n1: 0100007F:2648 0:0 0A 0:0 0:0 0 0 0 12 1\n",
        )
        .with_link("/proc/812/fd/6", "socket:[11]")
        .with_text("/proc/812/comm", "nginx\n")
        .with_link("/proc/900/fd/6", "socket:[12]")
        .with_text("/proc/900/comm", "floodwall\n")
        .with_unwritable("/srv/state", ErrorKind::PermissionDenied)
        .with_unwritable("/var/log/floodwall", ErrorKind::NotFound)
        .with_unwritable("/var/log", ErrorKind::ReadOnlyFilesystem);
    insta::assert_snapshot!(Office::new(&format!("{server}{SITE}"), machine).faults());
}

#[test]
fn origins() {
    let text = "[server]\nhttp = [\"0.0.0.0:80\"]\n[[site]]\nname = \"sos\"\nhosts = [\"www.sos.example.gov\"]\norigin = [\n\
        \"http://10.0.0.5:8080\",\n\"http://app:3000\",\n\"http://www.sos.example.gov\",\n\"http://198.51.100.7\",\n\
        \"http://absent.internal\",\n\"http://empty.internal\",\n\"http://10.0.0.6:8080\",\n\"http://[2001:db8::1]:80\",\n\
        \"http://admin.internal:9800\",\n\"http://198.51.100.7:8080\",\n\"http://127.0.0.1:80\",\n]\n";
    let machine = reachable()
        .with_name("app", &["10.0.0.7", "10.0.0.8"])
        .with_server("10.0.0.8:3000", None)
        .with_name("www.sos.example.gov", &["198.51.100.7"])
        .with_name("empty.internal", &[])
        .with_name("admin.internal", &["127.0.0.1"])
        .with_server("10.0.0.6:8080", Some(ErrorKind::TimedOut))
        .with_server("[2001:db8::1]:80", Some(ErrorKind::NetworkUnreachable));
    insta::assert_snapshot!(Office::new(text, machine).faults());
}

/// Validity from and to, in days from now; hosts; whether an authority signs, and its certificate
/// stands in the file.
struct Issue<'a> {
    days: (i64, i64),
    hosts: &'a [&'a str],
    signed: bool,
    chain: bool,
}

fn issue(office: &Office, issue: &Issue<'_>) {
    let day = |days: i64| {
        let date = jiff::Timestamp::from_second(NOW + days * 86_400).unwrap().to_string();
        let number = |range: std::ops::Range<usize>| date[range].parse::<i32>().unwrap();
        let part = |range| u8::try_from(number(range)).unwrap();
        rcgen::date_time_ymd(number(0..4), part(5..7), part(8..10))
    };
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(issue.hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()).unwrap();
    (params.not_before, params.not_after) = (day(issue.days.0), day(issue.days.1));
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let certificate =
        if issue.signed { params.signed_by(&key, &authority) } else { params.self_signed(&key) }.unwrap();
    let chain = if issue.chain { authority.pem() } else { String::new() };
    fs::write(office.path("sos.pem"), certificate.pem() + &chain).unwrap();
    fs::write(office.path("sos.key"), key.serialize_pem()).unwrap();
}

#[test]
fn certificates() {
    let text =
        format!("[server]\nhttps = [\"0.0.0.0:443\"]\n{SITE}certificate = \"sos.pem\"\nkey = \"sos.key\"\n");
    let office = Office::new(&text, reachable());
    let hosts: &[&str] = &["www.sos.example.gov"];
    let good = Issue { days: (-10, 80), hosts, signed: true, chain: true };
    let mut said = String::new();
    for (what, certificate) in [
        ("good", &good),
        ("expired", &Issue { days: (-90, -1), ..good }),
        ("not yet valid", &Issue { days: (1, 90), ..good }),
        ("expires soon", &Issue { days: (-80, 13), ..good }),
        ("other hosts", &Issue { hosts: &["sos.example.gov", "*.example.gov"], ..good }),
        ("self-signed", &Issue { signed: false, chain: false, ..good }),
        ("alone", &Issue { chain: false, ..good }),
    ] {
        issue(&office, certificate);
        said.push_str(&format!("{what}\n{}\n", office.faults()));
    }
    fs::write(office.path("sos.key"), "s3cret").unwrap();
    said.push_str(&format!("no key\n{}\n", office.faults()));
    fs::write(office.path("sos.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    said.push_str(&format!("another key\n{}\n", office.faults()));
    fs::remove_file(office.path("sos.pem")).unwrap();
    fs::remove_file(office.path("sos.key")).unwrap();
    said.push_str(&format!("neither\n{}\n", office.faults()));
    assert!(!said.contains("s3cret"));
    insta::assert_snapshot!(said);
}

#[test]
fn a_site_with_faults_is_probed_as_far_as_it_is_known() {
    let text = SITE.replace("www.sos", "www sos") + "nmae = 1\n";
    let found = Office::new(&text, Fixture::office()).faults();
    assert!(found.contains("is not a host name"), "{found}");
    assert!(found.contains("unknown key `nmae`"), "{found}");
    assert!(found.contains("http://10.0.0.5:8080 cannot be reached now"), "{found}");
}
