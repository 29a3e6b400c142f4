//! RFC 9110 section 5.6.7 and RFC 9111 section 4.2: dates as a cache reads them.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::super::date::parse_date;
use super::POLLS_OPEN;

#[test]
fn dates_of_any_form_or_none() {
    for (text, expected) in [
        ("Tue, 08 Nov 2022 14:00:00 GMT", Some(POLLS_OPEN)),
        (" Tue, 08 Nov 2022 14:00:00 GMT ", Some(POLLS_OPEN)),
        ("Tuesday, 08-Nov-22 14:00:00 GMT", Some(POLLS_OPEN)),
        ("Tue Nov  8 14:00:00 2022", Some(POLLS_OPEN)),
        ("Tue Nov 08 14:00:00 2022", Some(POLLS_OPEN)),
        // Case does not matter to a cache, nor whether the day of the week is right.
        ("TUE, 08 NOV 2022 14:00:00 gMT", Some(POLLS_OPEN)),
        ("tuesday, 08-nov-22 14:00:00 gmt", Some(POLLS_OPEN)),
        ("Mon, 08 Nov 2022 14:00:00 GMT", Some(POLLS_OPEN)),
        // A leap second, and the ends of what can be said.
        ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_799)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
        ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
        // Zones other than GMT, and what only looks like a date.
        ("Tue, 08 Nov 2022 14:00:00 UTC", None),
        ("Tue, 08 Nov 2022 14:00:00 AEST", None),
        ("Tue, 08 Nov 2022 14:00:00", None),
        ("Tue, 08 Nov 2022 14:00:00 GMT+1", None),
        ("Tue, 08 Nov 22 14:00:00 GMT", None),
        ("Tue 08 Nov 2022 14:00:00 GMT", None),
        ("Tue, 08  Nov  2022 14:00:00 GMT", None),
        ("Tue, 08-Nov-2022 14:00:00 GMT", None),
        ("Tue, 08 Nov 2022 14.00.00 GMT", None),
        ("Tue, 08 Nov 2022 4:00:00 GMT", None),
        ("Tue, 8 Nov 2022 14:00:00 GMT", None),
        ("Tue, 31 Feb 2022 14:00:00 GMT", None),
        ("Mon, 29 Feb 2100 14:00:00 GMT", None),
        ("Tue, 00 Nov 2022 14:00:00 GMT", None),
        ("Tue, 08 Nov 2022 24:00:00 GMT", None),
        ("Tue, 08 Nov 2022 14:60:00 GMT", None),
        ("Tue, 08 Nov 2022 14:00:61 GMT", None),
        ("Tue, 08 Nov +022 14:00:00 GMT", None),
        ("Sun Nov 10 08:00:00 1000", None),
        ("Wed, 31 Dec 1969 23:59:59 GMT", None),
        ("0", None),
        ("-1", None),
        ("", None),
        ("\u{e9}", None),
    ] {
        assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
    }
}

proptest! {
    /// What a library writes is read back, to the second.
    #[test]
    fn reads_what_a_library_writes(seconds in 0_u64..253_402_300_800) {
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        prop_assert_eq!(parse_date(text.as_bytes()), i64::try_from(seconds).ok());
    }

    /// What the library reads, is read the same.
    #[test]
    fn reads_what_a_library_reads(text in "(Mon|Sunday|Tue), ?[0-3][0-9][ -](Jan|Feb|Nov)[ -][0-9]{2,4} [0-2][0-9]:[0-6][0-9]:[0-6][0-9] GMT") {
        if let Ok(at) = httpdate::parse_http_date(&text) {
            let seconds = at.duration_since(UNIX_EPOCH).unwrap().as_secs();
            prop_assert_eq!(parse_date(text.as_bytes()), i64::try_from(seconds).ok());
        }
    }

    #[test]
    fn never_panics(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse_date(&text);
    }
}
