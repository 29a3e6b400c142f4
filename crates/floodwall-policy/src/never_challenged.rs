//! Paths that are never answered with a challenge.

/// Whether a path is fetched by programs that cannot answer a challenge and that the public's access
/// hangs on: `/robots.txt` (RFC 9309), `/.well-known/` (RFC 8615), feeds, site maps, icons. The path
/// is without query. Essential paths and API paths of the settings come on top.
#[must_use]
pub fn never_challenged(path: &str) -> bool {
    const EXACT: [&str; 9] = [
        "/robots.txt",
        "/security.txt",
        "/humans.txt",
        "/ads.txt",
        "/favicon.ico",
        "/feed",
        "/feed/",
        "/rss",
        "/atom",
    ];
    const FEEDS: [&str; 4] = ["/rss.xml", "/atom.xml", "/feed.xml", "/feed.json"];
    let site_map = path.starts_with("/sitemap") && (path.ends_with(".xml") || path.ends_with(".xml.gz"));
    EXACT.contains(&path)
        || path.starts_with("/.well-known/")
        || site_map
        || FEEDS.iter().any(|feed| path.ends_with(feed))
        || path.ends_with(".rss")
        || path.ends_with(".atom")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_let_be() {
        for path in [
            "/robots.txt",
            "/.well-known/security.txt",
            "/.well-known/acme-challenge/x",
            "/feed",
            "/news/rss.xml",
            "/news.atom",
            "/sitemap.xml",
            "/sitemap-2.xml.gz",
        ] {
            assert!(never_challenged(path), "{path}");
        }
        for path in
            ["/", "/polling-place", "/robots.txt/x", "/well-known/x", "/feedback", "/sitemap", "/rssx"]
        {
            assert!(!never_challenged(path), "{path}");
        }
    }
}
