//! Logs of our own making.

use std::fmt::Write;

/// 2024-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_704_067_200;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// One combined line, without its newline.
pub(crate) fn line(unix_s: i64, client: &str, path: &str, referer: &str, agent: &str) -> String {
    let time = jiff::Timestamp::from_second(unix_s).unwrap().strftime("%d/%b/%Y:%H:%M:%S +0000");
    format!("{client} - - [{time}] \"GET {path} HTTP/1.1\" 200 512 \"{referer}\" \"{agent}\"")
}

/// A number that looks like chance and is the same each time (splitmix64).
pub(crate) fn chance(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Calm traffic: people who look at pages with their parts, an office behind one address, a crawler,
/// a monitor.
pub(crate) fn calm(log: &mut String, from_s: i64, seconds: i64) {
    for second in from_s..from_s + seconds {
        let luck = chance(u64::try_from(second).unwrap());
        for visitor in 0..luck % 4 {
            let person = chance(luck + visitor) % 3_000;
            // A third of them sit in the office.
            let client = if person.is_multiple_of(3) {
                "198.51.100.7".to_owned()
            } else {
                format!("203.0.{}.{}", person / 250, 1 + person % 250)
            };
            let page = format!("/polling-place/{}", person % 40);
            let agent = format!("{BROWSER} {}", person % 20);
            let _ = writeln!(log, "{}", line(second, &client, &page, "-", &agent));
            for part in ["/site.css", "/seal.svg"] {
                let referer = format!("https://www.example.gov{page}");
                let _ = writeln!(log, "{}", line(second, &client, part, &referer, &agent));
            }
        }
        if second % 5 == 0 {
            let _ = writeln!(log, "{}", line(second, "192.0.2.66", "/robots.txt", "-", "ExampleBot/1.0"));
            let page = format!("/archive/{}", luck % 900);
            let _ = writeln!(log, "{}", line(second, "192.0.2.66", &page, "-", "ExampleBot/1.0"));
        }
        if second % 30 == 0 {
            let _ = writeln!(log, "{}", line(second, "192.0.2.80", "/", "-", "Blackbox Exporter/0.24"));
        }
    }
}

/// A flood of look-ups from so many sources, a second each.
pub(crate) fn flood(log: &mut String, from_s: i64, seconds: i64, per_second: u64, sources: u64) {
    for second in from_s..from_s + seconds {
        for number in 0..per_second {
            let luck = chance(u64::try_from(second).unwrap() * 1_000_000 + number);
            // Each in a network of its own, as bots in homes are.
            let [one, two, three, four, ..] = chance(luck % sources).to_be_bytes();
            let client = format!("{}.{two}.{three}.{four}", 100 + one % 64);
            let path = format!("/lookup?address={luck}");
            let _ = writeln!(log, "{}", line(second, &client, &path, "-", "Mozilla/5.0 (Windows NT 10.0)"));
        }
    }
}
