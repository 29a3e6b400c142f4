//! Properties that hold for any sequence of events.

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

use super::super::{CacheSettings, Freshened, LookUp, ResponseCache};
use super::{at, exchange, get, header_lines, seconds, settings, store};

/// Directives that appear in the wild, alone or together, well-formed or not.
const DIRECTIVES: [&str; 18] = [
    "no-store",
    "NO-STORE",
    "private",
    "private=\"x-user\"",
    "public",
    "no-cache",
    "max-age=0",
    "max-age=10",
    "max-age=100",
    "s-maxage=20",
    "must-revalidate",
    "proxy-revalidate",
    "stale-if-error=30",
    "stale-while-revalidate=15",
    "max-age=junk",
    "x-extension=\"no-store, private\"",
    "immutable",
    "",
];

fn cache_control() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(&DIRECTIVES[..]), 0..5)
}

/// The longest a response with these directives may be served at all, by the letter of the RFCs;
/// worked out apart from the code under test.
fn longest_use(directives: &[&str], default_stale: u64) -> u64 {
    let value = |name: &str| {
        let values = directives.iter().filter_map(|directive| directive.strip_prefix(name));
        values.map(|value| value.parse().unwrap_or(0)).min()
    };
    let has = |name: &str| directives.contains(&name);
    let lifetime =
        if has("no-cache") { 0 } else { value("s-maxage=").or_else(|| value("max-age=")).unwrap_or(0_u64) };
    let demands = has("no-cache") || has("must-revalidate") || has("proxy-revalidate");
    let silent = if demands || value("s-maxage=").is_some() { 0 } else { default_stale };
    let on_error = value("stale-if-error=").unwrap_or(silent);
    let beside = if demands { 0 } else { value("stale-while-revalidate=").unwrap_or(0) };
    lifetime + on_error.max(beside)
}

proptest! {
    #[test]
    fn forbidden_responses_are_never_stored(
        directives in cache_control(),
        separate_lines: bool,
        forbidden in prop::sample::select(&["no-store", "No-Store", "private", "private=\"a\""][..]),
        place in 0_usize..5,
        status in prop::sample::select(&[200_u16, 203, 301, 302, 404, 410, 500][..]),
    ) {
        let mut directives = directives;
        directives.insert(place.min(directives.len()), forbidden);
        let text = if separate_lines {
            directives.iter().map(|one| format!("cache-control: {one}\n")).collect::<String>()
        } else {
            format!("cache-control: {}", directives.join(", "))
        };
        let cache = super::cache();
        let none = HeaderMap::new();
        prop_assert!(store(&cache, &get("/", &none), status, &header_lines(&text), b"secret", 0).is_err());
        prop_assert_eq!(cache.entries(), 0);
    }

    #[test]
    fn nothing_is_served_past_its_lifetime_and_allowed_staleness(
        directives in cache_control(),
        age in 0_u64..50,
        default_stale in prop::sample::select(&[0_u64, 40][..]),
        wait in 0_u64..300,
    ) {
        let cache = ResponseCache::new(CacheSettings {
            default_stale_if_error: seconds(default_stale),
            ..settings()
        });
        let fields = format!("etag: \"a\"\nage: {age}\ncache-control: {}", directives.join(", "));
        let none = HeaderMap::new();
        let _either_way = store(&cache, &get("/", &none), 200, &header_lines(&fields), b"page", 0);
        let served = match cache.look_up(&get("/", &none), at(wait)) {
            LookUp::Fresh(copy) => {
                prop_assert!(copy.freshness().age(at(wait)) < copy.freshness().lifetime());
                true
            }
            LookUp::Stale { may_serve_on_error, may_serve_while_revalidating, .. } => {
                may_serve_on_error || may_serve_while_revalidating
            }
            _ => false,
        };
        prop_assert!(!served || age + wait < longest_use(&directives, default_stale),
            "{:?} of age {} served after {}", directives, age, wait);
    }

    #[test]
    fn no_bytes_from_the_network_make_parsing_panic(
        request in prop::collection::vec(("[a-z-]{1,12}", "[ -~\u{80}-\u{ff}\t]{0,60}"), 0..8),
        known in prop::collection::vec((prop::sample::select(&[
            "cache-control", "vary", "age", "date", "expires", "last-modified", "etag", "if-none-match",
            "if-modified-since", "accept-encoding", "cookie", "connection", "content-length",
            "content-encoding", "location", "pragma", "range",
        ][..]), "[ -~\t]{0,60}"), 0..12),
        status in 200_u16..600,
    ) {
        let fields: Vec<(&str, &str)> = request.iter().map(|(n, v)| (n.as_str(), v.as_str()))
            .chain(known.iter().map(|(n, v)| (*n, v.as_str()))).collect();
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            if let (Ok(name), Ok(value)) = (
                http::HeaderName::from_bytes(name.as_bytes()),
                http::HeaderValue::from_bytes(value.as_bytes()),
            ) {
                map.append(name, value);
            }
        }
        let cache = super::cache();
        let asked = get("/", &map);
        if let Ok(copy) = store(&cache, &asked, status, &map, b"page", 0) {
            let _answer = copy.answer(&http::Method::GET, &map, super::super::Served::Hit, at(1));
            let mut again = map.clone();
            super::super::prepare_revalidation(&mut again, &copy);
            let freshened = cache.freshen(&asked, &copy, &map, &exchange(1));
            prop_assert!(matches!(
                freshened,
                Freshened::Stored(_) | Freshened::Unstored(..) | Freshened::Mismatch
            ));
        }
        let _found = cache.look_up(&asked, at(1));
        let post = super::CacheRequest { method: &http::Method::POST, ..asked };
        cache.invalidate_after(&post, StatusCode::OK, &map, at(2));
        prop_assert!(cache.bytes() <= cache.bytes_max());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Store { page: u8, language: u8, body_bytes: usize, vary: bool },
    LookUp { page: u8, language: u8 },
    Freshen { page: u8, language: u8 },
    Refuse { page: u8, language: u8 },
    Invalidate { page: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let page = 0_u8..40;
    let language = 0_u8..20;
    prop_oneof![
        8 => (page.clone(), language.clone(), 0_usize..60_000, any::<bool>())
            .prop_map(|(page, language, body_bytes, vary)| Step::Store { page, language, body_bytes, vary }),
        4 => (page.clone(), language.clone()).prop_map(|(page, language)| Step::LookUp { page, language }),
        2 => (page.clone(), language.clone()).prop_map(|(page, language)| Step::Freshen { page, language }),
        1 => (page.clone(), language).prop_map(|(page, language)| Step::Refuse { page, language }),
        1 => page.prop_map(|page| Step::Invalidate { page }),
    ]
}

fn take(cache: &ResponseCache, step: &Step, second: u64) {
    let path = |page: &u8| format!("/page/{page}");
    let asked = |language: &u8| header_lines(&format!("accept-language: x-{language}"));
    match step {
        Step::Store { page, language, body_bytes, vary } => {
            let mut fields = "cache-control: max-age=30\netag: \"a\"".to_owned();
            if *vary {
                fields.push_str("\nvary: accept-language");
            }
            let body = vec![b'x'; *body_bytes];
            let asked = asked(language);
            let _either_way =
                store(cache, &get(&path(page), &asked), 200, &header_lines(&fields), &body, second);
        }
        Step::LookUp { page, language } => {
            let _found = cache.look_up(&get(&path(page), &asked(language)), at(second));
        }
        Step::Freshen { page, language } => {
            let (path, asked) = (path(page), asked(language));
            let request = get(&path, &asked);
            if let LookUp::Fresh(copy) | LookUp::Stale { response: copy, .. } =
                cache.look_up(&request, at(second))
            {
                let not_modified = header_lines(&format!("x-grown: {}", "g".repeat(500)));
                let _either_way = cache.freshen(&request, &copy, &not_modified, &exchange(second));
            }
        }
        Step::Refuse { page, language } => {
            let asked = asked(language);
            let refusal = header_lines("cache-control: no-store");
            let _refused = store(cache, &get(&path(page), &asked), 200, &refusal, b"", second);
        }
        Step::Invalidate { page } => {
            cache.invalidate(&get("/", &HeaderMap::new()), &path(page), at(second));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_stays_within_its_bound(
        steps in prop::collection::vec(step(), 1..200),
        memory_bytes_max in 10_000_u64..2_000_000,
        object_bytes_max in 1000_u64..400_000,
    ) {
        let cache = ResponseCache::new(CacheSettings { memory_bytes_max, object_bytes_max, ..settings() });
        prop_assert!(cache.bytes_max() <= memory_bytes_max);
        for (second, step) in steps.iter().enumerate() {
            take(&cache, step, u64::try_from(second).unwrap_or(0));
            prop_assert!(cache.bytes() <= cache.bytes_max(), "after {:?}", step);
            prop_assert_eq!(cache.filling_bytes(), 0);
        }
    }
}
