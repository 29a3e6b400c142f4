use std::os::unix::fs::PermissionsExt;

use super::*;

const KEY: &str = "b1946ac92492d2347c6235b4d2611184";

/// A directory with each kind of file; the database has documentation prefixes.
fn files(keys_mode: u32) -> (tempfile::TempDir, ClientFilePaths) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("ranges.json"), r#"{"prefixes": [{"ipv4Prefix": "192.0.2.64/26"}]}"#).unwrap();
    std::fs::write(path("asn.mmdb"), include_bytes!("asn.mmdb")).unwrap();
    std::fs::write(path("keys"), format!("{KEY} # the app\n")).unwrap();
    std::fs::set_permissions(path("keys"), std::fs::Permissions::from_mode(keys_mode)).unwrap();
    let paths = ClientFilePaths {
        crawler_ranges: vec![path("ranges.json")],
        autonomous_systems: Some(path("asn.mmdb")),
        api_keys: vec![None, Some(path("keys"))],
    };
    (directory, paths)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn fields(name: &'static str, value: &str) -> HeaderMap {
    [(HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
}

#[test]
fn what_the_files_say_is_known() {
    let (_directory, paths) = files(0o640);
    let (register, errors) = ClientFiles::read(paths, None);
    assert!(errors.is_empty(), "{errors:?}");
    for (from, crawler, system) in [
        ("192.0.2.65", true, Some(64496)),
        ("192.0.2.1", false, Some(64496)),
        ("::ffff:198.51.100.9", false, Some(64497)),
        ("2001:db8:1::1", false, Some(64496)),
        ("203.0.113.1", false, Some(64498)),
        ("203.0.113.200", false, None),
    ] {
        let standing = register.crawler(address(from), b"Mozilla/5.0");
        assert_eq!(standing == CrawlerStanding::Verified, crawler, "{from}");
        assert_eq!(register.autonomous_system(address(from)), system, "{from}");
    }
}

#[test]
fn a_key_counts_at_its_own_site_in_either_field() {
    let (_directory, paths) = files(0o600);
    let (register, _) = ClientFiles::read(paths, None);
    let bearer = format!("bearer {KEY}");
    for (site, name, value, counts) in [
        (1, "x-api-key", KEY, true),
        (1, "authorization", bearer.as_str(), true),
        (1, "authorization", KEY, false),
        (1, "x-api-key", "b1946ac92492d2347c6235b4d2611185", false),
        (1, "x-api-key", "", false),
        (1, "cookie", KEY, false),
        (0, "x-api-key", KEY, false),
        (2, "x-api-key", KEY, false),
    ] {
        let holder = register.key_holder(SiteId(site), &fields(name, value));
        assert_eq!(holder.is_some(), counts, "site {site}, {name}: {value}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_count() {
    let (directory, paths) = files(0o644);
    std::fs::write(directory.path().join("asn.mmdb"), b"no database").unwrap();
    let (register, errors) = ClientFiles::read(paths, None);
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("asn.mmdb is no MaxMind DB file with autonomous systems"), "{said:?}");
    assert!(said[1].contains("chmod o="), "{said:?}");
    assert_eq!(register.autonomous_system(address("192.0.2.1")), None);
    assert_eq!(register.crawler(address("192.0.2.65"), b""), CrawlerStanding::Verified);
}

#[test]
fn read_again_a_broken_file_changes_nothing_and_a_good_one_counts() {
    let (directory, paths) = files(0o600);
    let (register, _) = ClientFiles::read(paths, None);
    let ranges = directory.path().join("ranges.json");
    std::fs::write(&ranges, "{").unwrap();
    assert_eq!(register.read_again().unwrap_err().len(), 1);
    assert_eq!(register.crawler(address("192.0.2.65"), b""), CrawlerStanding::Verified);
    std::fs::write(&ranges, r#"{"prefixes": [{"ipv4Prefix": "192.0.2.128/26"}]}"#).unwrap();
    register.read_again().unwrap();
    assert_eq!(register.crawler(address("192.0.2.65"), b""), CrawlerStanding::NotClaimed);
    assert_eq!(register.crawler(address("192.0.2.129"), b""), CrawlerStanding::Verified);
}

/// Damage anywhere in the database costs numbers and nothing else.
#[test]
fn no_damage_to_the_database_panics() {
    let whole = include_bytes!("asn.mmdb");
    for place in 0..whole.len() {
        let mut damaged = whole.to_vec();
        damaged[place] ^= 0xA5;
        let Ok(reader) = Reader::from_source(damaged) else { continue };
        for from in ["192.0.2.1", "198.51.100.1", "2001:db8:1::1", "203.0.113.1"] {
            let _number = system_of(&reader, address(from));
        }
        let _sound = reader.verify();
    }
}
