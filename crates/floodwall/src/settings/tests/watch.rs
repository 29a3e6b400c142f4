//! Tests of the watch's settings: every fault with its line and key, and what is probed in the end.

use super::super::{AnyHost, Reading, Settings};

const SITE: &str =
    "[[site]]\nname = \"sos\"\nhosts = [\"a.test\", \"*.b.test\"]\norigin = [\"http://10.0.0.5:80\"]\n";

fn read(text: &str) -> Result<Settings, String> {
    let text = format!("{SITE}{text}");
    let reading = Reading::of_text("f.toml", std::path::Path::new("/etc"), &text, AnyHost::Refused);
    reading.finish().map(|(settings, _)| settings).map_err(|faults| faults.to_string())
}

#[test]
fn faults_name_line_and_key() {
    for (text, fault) in [
        ("[[watch]]\nname = \"x\"\n", "f.toml:5:1: error: watch[0].url: `url` is missing"),
        (
            "[[watch]]\nname = \"x\"\nurl = \"ftp://a.test/\"\n",
            "f.toml:7:7: error: watch[0].url: `ftp://a.test/` cannot be probed",
        ),
        (
            "[[watch]]\nname = \"x\"\nurl = \"https://a.test/\"\nsite = \"soz\"\n",
            "f.toml:8:8: error: watch[0].site: no site is named `soz`",
        ),
        (
            "[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:1\"\n[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:2\"\n",
            "f.toml:9:8: error: watch[1].name: `x` is the name of another target too (line 6)",
        ),
        (
            "[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:1\"\ninterval = \"10s\"\nconfirm_interval = \"20s\"\n",
            "f.toml:9:20: error: watch[0].confirm_interval: ",
        ),
        (
            "[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:1\"\ninterval = \"5s\"\ntimeout = \"20s\"\n",
            "watch[0].timeout: a probe may take longer",
        ),
        (
            "[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:1\"\ncontains = [\"y\"]\n",
            "f.toml:8:12: error: watch[0].contains: there is no page",
        ),
        ("[watch]\nname = \"x\"\nurl = \"tcp://a.test:1\"\n", "write [[watch]] with two brackets"),
        ("[[watch]]\nname = \"x\"\nurl = \"tcp://a.test:1\"\nevery = \"5s\"\n", "unknown key `every`"),
        ("[watcher]\nreferences = [\"a.test\"]\n", "f.toml:6:15: error: watcher.references: "),
        ("[status]\ntitle = \"x\"\n", "status.directory: `directory` is missing"),
        ("[status]\ndirectory = \"x\"\nurl = \"https://a.test/status\"\n", "f.toml:7:7: error: status.url: "),
    ] {
        let faults = read(text).unwrap_err();
        assert!(faults.contains(fault), "{text}: {faults}");
    }
}

#[test]
fn own_hosts_are_probed_only_where_the_settings_say_so() {
    let names = |text: &str| -> Vec<(String, Option<String>)> {
        let watches = read(text).unwrap().all_watches();
        watches.into_iter().map(|watch| (watch.name, watch.site)).collect()
    };
    assert_eq!(names(""), []);
    let sos = Some("sos".to_owned());
    assert_eq!(names("[watcher]\nown_sites = \"on\"\n"), [("http://a.test/".to_owned(), sos.clone())]);
    let same = "[watcher]\nown_sites = \"on\"\n[[watch]]\nname = \"home\"\nurl = \"http://a.test/\"\nsite = \"sos\"\n";
    assert_eq!(names(same), [("home".to_owned(), sos)]);
}

#[test]
fn what_is_written_is_what_holds() {
    let text = "[[watch]]\nname = \"mail\"\nurl = \"tcp://a.test:25\"\ninterval = \"30s\"\nconfirm = 2\ntimeout = \"2s\"\n\
                addresses = \"any\"\n[status]\ndirectory = \"status\"\n";
    let settings = read(text).unwrap();
    let watch = &settings.watches[0];
    assert_eq!((watch.judged.interval.as_secs(), watch.judged.confirm), (30, 2));
    assert_eq!((watch.judged.confirm_every.as_secs(), watch.judged.silent_after.as_secs()), (10, 92));
    assert_eq!(watch.target.addresses, floodwall_watch::AddressRule::Any);
    assert_eq!(settings.status.unwrap().directory, std::path::Path::new("/etc/status"));
    let often = read("[[watch]]\nname = \"mail\"\nurl = \"tcp://a.test:25\"\ninterval = \"5s\"\n").unwrap();
    let watch = &often.watches[0];
    assert_eq!((watch.judged.confirm_every.as_secs(), watch.target.timeout.as_secs()), (5, 5));
    let page =
        read("[[watch]]\nname = \"x\"\nurl = \"http://a.test/\"\ncontains = [\"Find your\"]\n").unwrap();
    let floodwall_watch::Check::Http(check) = &page.watches[0].target.check else {
        panic!("a page is asked for")
    };
    assert_eq!(check.expect.contains, ["Find your"]);
}
