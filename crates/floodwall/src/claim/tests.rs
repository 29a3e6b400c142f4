//! The commands on a state directory as a server leaves it: a store with an incident, an evidence log with
//! every minute, and claims.

use std::path::Path;
use std::time::Duration;

use clap::Parser as _;
use floodwall_console::{
    IncidentDocument, JudgementDocument, LikelihoodsDocument, TrafficDocument, VisitorsDocument,
};
use floodwall_evidence::{Fact, MinuteSummary, Origin, SensorHealth, SiteMinute};
use floodwall_model::Timestamp;
use floodwall_store::{Store, StoredIncident};

use super::command::{ClaimArguments, run};
use crate::incident::IncidentArguments;

/// 2022-11-08 18:30:00 UTC.
const POSTED: i64 = 1_667_932_200;
const INCIDENT: &str = "sos-20221108-190004-1";

#[derive(clap::Parser)]
struct Claim {
    #[command(flatten)]
    arguments: ClaimArguments,
}

#[derive(clap::Parser)]
struct Incident {
    #[command(flatten)]
    arguments: IncidentArguments,
}

struct Office {
    directory: tempfile::TempDir,
}

impl Office {
    /// With a record of every minute for three days, but for those that `is_missing`.
    fn new(is_missing: impl Fn(i64) -> bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let settings = format!(
            "[server]\nstate = \"{}\"\ninternal = [\"10.9.0.0/16\"]\n[[site]]\nname = \"sos\"\n\
             hosts = [\"www.sos.example.gov\"]\norigin = [\"http://192.0.2.5:8080\"]\nrole = \"where to vote\"\n\
             [site.detection]\ntime_zone = \"CST6CDT,M3.2.0,M11.1.0\"\n",
            state.display()
        );
        std::fs::write(directory.path().join("floodwall.toml"), settings).unwrap();
        record_minutes(&state, is_missing);
        let incident = incident();
        let stored = StoredIncident {
            key: incident.id.clone(),
            site: incident.site.clone(),
            opened_unix_seconds: POSTED + 1_804,
            open: false,
            document: serde_json::to_string(&incident).unwrap(),
            revisions: Vec::new(),
        };
        Store::open(&state.join("floodwall.db")).unwrap().put_incidents(&[stored]).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// The status, and what is said on either output. `floodwall.toml` is added.
    fn claim(&self, line: &[&str]) -> (u8, String) {
        let config = self.path("floodwall.toml");
        let words = [&["claim"], line, &["--config", &config]].concat();
        let arguments = Claim::try_parse_from(words).unwrap().arguments;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = run(&arguments, &mut out, &mut err);
        (status, self.said(&[out, err].concat()))
    }

    fn incident(&self, line: &[&str]) -> (u8, String) {
        let config = self.path("floodwall.toml");
        let words = [&["incident"], line, &["--config", &config]].concat();
        let arguments = Incident::try_parse_from(words).unwrap().arguments;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = crate::incident::run(&arguments, &mut out, &mut err);
        (status, self.said(&[out, err].concat()))
    }

    /// Without what differs from run to run.
    fn said(&self, text: &[u8]) -> String {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let text = text.replace(&self.directory.path().display().to_string(), "DIRECTORY");
        let Some(at) = text.find("settings ") else { return text };
        let hash: String = text[at + 9..].chars().take_while(char::is_ascii_hexdigit).collect();
        if hash.len() == 16 { text.replace(&hash, "SETTINGSHASH") } else { text }
    }
}

fn record_minutes(state: &Path, is_missing: impl Fn(i64) -> bool) {
    let at = |unix_s: i64| {
        let since = u64::try_from(unix_s - POSTED + 200_000).unwrap();
        Timestamp::new(Duration::from_secs(since), unix_s * 1_000_000)
    };
    let first = POSTED - 130_000 - (POSTED - 130_000).rem_euclid(60);
    let origin = Origin::new(at(first), [1; 8]);
    let (mut log, _) =
        floodwall_evidence_log::open(&state.join("evidence"), "sos.example.gov", &origin, at(first)).unwrap();
    let minute = |minute_unix_s: i64| {
        let traffic = [("requests".to_owned(), 1_904), ("responses_2xx".to_owned(), 1_900)].into();
        let site = SiteMinute { traffic, ..SiteMinute::default() };
        let sensor = SensorHealth {
            seconds_read: 60,
            clock_source: Some("chronyd".to_owned()),
            ..SensorHealth::default()
        };
        let summary = MinuteSummary { minute_unix_s, sites: [("sos".to_owned(), site)].into(), sensor };
        origin.record(at(minute_unix_s + 60), Fact::Minute(summary)).to_bytes().unwrap()
    };
    let minutes = (0..4_320).map(|number| first + number * 60).filter(|minute| !is_missing(*minute));
    let records: Vec<_> = minutes.map(minute).collect();
    log.append(&records).unwrap();
}

fn incident() -> IncidentDocument {
    IncidentDocument {
        id: INCIDENT.to_owned(),
        site: "sos".to_owned(),
        state: "ended".to_owned(),
        judgement: JudgementDocument {
            verdict: "attack".to_owned(),
            likelihood: 0.96,
            likelihoods: LikelihoodsDocument { attack: 0.96, crowd: 0.04, routine: 0.02 },
            vectors: vec!["look_ups".to_owned()],
            ..JudgementDocument::default()
        },
        onset: "2022-11-08T19:00:07Z".to_owned(),
        onset_earliest: "2022-11-08T19:00:04Z".to_owned(),
        onset_latest: "2022-11-08T19:00:09Z".to_owned(),
        opened: "2022-11-08T19:00:12.250Z".to_owned(),
        end: Some("2022-11-08T21:04:06Z".to_owned()),
        traffic: TrafficDocument {
            duration_s: 7_440,
            peak_requests_per_second: 6_400.0,
            calm_requests_per_second: 35.0,
            ..TrafficDocument::default()
        },
        visitors: VisitorsDocument { goodput: Some(0.97), waited: 410.0, ..VisitorsDocument::default() },
        ..IncidentDocument::default()
    }
}

const POST: &str =
    "First target: https://www.sos.example.gov/ Layer 7. Taken down! https://check-host.net/r/1";

fn add<'a>(posted: &'a str, text: &'a str) -> Vec<&'a str> {
    vec![
        "add",
        "--claimant",
        "Example Group",
        "--channel",
        "t.me/example",
        "--reference",
        "17",
        "--posted",
        posted,
        "--text",
        text,
    ]
}

#[test]
fn a_claim_from_writing_it_down_to_the_statement() {
    let office = Office::new(|_| false);
    let (status, said) = office.claim(&add("2022-11-08T18:30Z", POST));
    assert_eq!(status, 0, "{said}");
    insta::assert_snapshot!("claim_add", said);
    let id = said.split(' ').next().unwrap().to_owned();
    let (status, said) = office.claim(&["test", &id]);
    assert_eq!(status, 0, "{said}");
    insta::assert_snapshot!("claim_test", said);
    let (status, json) = office.claim(&["test", &id, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &json["tests"][0]["rows"][0]["outcome"]), (0, &"supports".into()));
    assert_eq!(json["tests"][0]["assessment"]["likelihood_permille"], 960);

    let (status, said) = office.incident(&["statement", INCIDENT, "--sources", "--with-claims"]);
    assert_eq!(status, 0, "{said}");
    insta::assert_snapshot!("incident_statement_en", said);
    let (_, plain) = office.incident(&["statement", INCIDENT, "--language", "es"]);
    insta::assert_snapshot!("incident_statement_es", plain);
    assert!(!plain.contains("Una publicación"), "claims are mentioned only where that is asked for");
    assert_eq!(office.incident(&["statement", "sos-1"]).0, 1);
}

#[test]
fn a_spokespersons_own_words_are_checked() {
    let office = Office::new(|_| false);
    let (_, sourced) = office.incident(&["statement", INCIDENT, "--sources"]);
    let file = office.directory.path().join("statement.txt");
    // The hash was taken out of what is compared; the sentence with it is one that Floodwall wrote.
    let edited: String =
        sourced.lines().map(|line| line.replace(" [settings SETTINGSHASH]", "") + "\n").collect();
    std::fs::write(&file, edited).unwrap();
    let check =
        |id: &[&str]| office.incident(&[&["statement"], id, &["--check", file.to_str().unwrap()]].concat());
    let (status, said) = check(&[INCIDENT]);
    assert_eq!(status, 0, "{said}");
    let words = "# Statement\n\nOur site was attacked by Russian hackers. No votes were affected: all systems remain secure. \
                 There is no evidence of a breach. It is very likely (97%) an attack, and we say so with high confidence. \
                 The site was slow for two hours. [incident sos-20221108-190004-1]\n";
    std::fs::write(&file, words).unwrap();
    let (status, said) = check(&[INCIDENT]);
    assert_eq!(status, 1);
    insta::assert_snapshot!("statement_check", said);
    let (status, said) = check(&[]);
    assert!(status == 1 && said.contains("was not looked up"), "{said}");
}

#[test]
fn a_post_read_again_in_another_form_is_kept_in_both() {
    let office = Office::new(|minute| minute == POSTED - POSTED % 60);
    let (_, said) = office.claim(&add("2022-11-08T18:30Z", "Join us at vote.example.org"));
    assert!(said.contains("is written down") && !said.contains("You are named"), "{said}");
    let id = said.split(' ').next().unwrap().to_owned();
    let (status, said) = office.claim(&["list", "--named"]);
    assert_eq!((status, said.as_str()), (1, "floodwall: no claim that is kept names one of your sites\n"));
    let (_, said) = office.claim(&add("2022-11-08T18:30Z", POST));
    assert!(said.starts_with(&format!("{id} was known in another form; both are kept.")), "{said}");
    assert!(said.contains("2 forms are known") && !said.contains("since 2022"), "{said}");
    let (_, said) = office.claim(&add("2022-11-08T18:30Z", POST));
    assert!(said.contains("is known already"), "{said}");
    // Named only after the first form was read, years later: no foreknowledge. And a minute is missing.
    let (_, said) = office.claim(&["test", &id]);
    let row = |name: &str| said.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    assert!(row("foreknowledge").contains("untested"), "{said}");
    assert!(said.contains("2880 of 2881 minutes are on record"), "{said}");
    let waiting = std::fs::read_dir(office.directory.path().join("state/claims/to-record")).unwrap().count();
    assert_eq!(waiting, 2, "each form is recorded");
}

#[test]
fn a_list_a_feed_and_a_table_are_read() {
    let office = Office::new(|_| true);
    let write = |name: &str, text: &str| std::fs::write(office.path(name), text).unwrap();
    write(
        "list.json",
        r#"{"targets": [{"target_id": "636a8f000000000000000000", "host": "www.sos.example.gov", "method": "GET", "path": "/?q=$_1", "port": 443}, {"host": "other.example"}]}"#,
    );
    let (status, said) = office.claim(&["import", &office.path("list.json")]);
    assert!(status == 2 && said.contains("--claimant and --posted"), "{said}");
    let list = ["import", &office.path("list.json"), "--claimant", "A Tool", "--posted", "2022-11-09"];
    let (status, said) = office.claim(&list);
    assert!(status == 0 && said.contains("1 new claims") && said.contains("You are named, in c-"), "{said}");
    let (_, said) = office.claim(&["list", "--named"]);
    assert!(
        said.contains("A Tool: www.sos.example.gov and 1 more")
            && said.contains("since 2022-11-08 17:16:48 UTC"),
        "{said}"
    );
    assert!(office.claim(&list).1.contains("0 new claims, 0 in another form than before, 1 known already"));

    write(
        "feed.xml",
        "<rss><channel><title>News</title><item><guid>1</guid><pubDate>Tue, 08 Nov 2022 18:30:00 +0000</pubDate><description>s\u{043E}s.example.gov</description></item></channel></rss>",
    );
    let (_, said) = office.claim(&["import", &office.path("feed.xml")]);
    assert!(said.contains("1 new claims") && said.contains("None names one of your sites."), "{said}");
    let (_, said) = office.claim(&["list", "--claimant", "News"]);
    assert!(
        said.contains("Not you: xn--ss-fmc.example.gov") && said.contains("looks like a name of site sos"),
        "{said}"
    );

    write(
        "claims.csv",
        "claimant,posted,targets,effect\nX,2022-11-08T18:30Z,sos.example.gov,down\nY,never,sos.example.gov,\n",
    );
    let (_, said) = office.claim(&["import", &office.path("claims.csv"), "--only-named"]);
    assert!(said.contains("1 new claims") && said.contains("Passed over: 1 have no time"), "{said}");
    write(
        "half.json",
        r#"{"name": "X", "messages": [{"id": 1, "date_unixtime": "1667932200", "text": "www.sos.example.gov"}, {"id": 2"#,
    );
    let (status, said) = office.claim(&["import", &office.path("half.json")]);
    assert!(
        status == 1 && said.contains("1 new claims") && said.contains("what was read before it is kept"),
        "{said}"
    );
    let (status, said) = office.claim(&["import", &office.path("floodwall.toml")]);
    assert!(status == 2 && said.contains("name its format"), "{said}");
}
