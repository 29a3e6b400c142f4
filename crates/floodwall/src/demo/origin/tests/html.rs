//! The pages as documents: well formed, connected, labelled, small.

use std::collections::BTreeSet;

use super::super::documents::HTML;
use super::markup::{Tag, tags};
use super::{get, site, text};

/// Every page, those made for one request included.
async fn pages() -> Vec<(String, String)> {
    let site = site();
    let fixed =
        site.documents.iter().filter(|(_, document)| document.content_type == HTML).map(|(path, _)| path);
    let made = [
        "/polling-place/lookup?address=120+Main+Street",
        "/polling-place/lookup?zip=00112",
        "/polling-place/lookup?address=%22%3E%3Cscript%3E&zip=x",
        "/nowhere",
        "/%2e%2e/",
        "/register/",
    ];
    let mut pages = Vec::new();
    for target in fixed.chain(made) {
        pages.push((target.to_owned(), text(get(&site, target).await).await));
    }
    assert_eq!(pages.len(), 13);
    pages
}

fn named<'a>(tags: &'a [Tag], name: &str) -> Vec<&'a Tag> {
    tags.iter().filter(|tag| tag.name == name).collect()
}

#[tokio::test(start_paused = true)]
async fn references_inside_a_page_hold() {
    for (path, page) in pages().await {
        let tags = tags(&page);
        let mut ids = BTreeSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{path}: id {id} is there twice");
        }
        for tag in &tags {
            let fragment = tag.get("href").and_then(|href| href.strip_prefix('#'));
            let lists =
                ["for", "aria-labelledby", "aria-describedby"].into_iter().filter_map(|name| tag.get(name));
            for id in lists.flat_map(str::split_whitespace).chain(fragment) {
                assert!(ids.contains(id), "{path}: nothing has the id {id}");
            }
        }
        let labelled: BTreeSet<_> =
            named(&tags, "label").iter().filter_map(|label| label.get("for")).collect();
        for input in named(&tags, "input") {
            assert!(
                input.get("id").is_some_and(|id| labelled.contains(id)),
                "{path}: {input:?} has no label"
            );
        }
        assert!(
            named(&tags, "img").iter().all(|image| image.get("alt").is_some()),
            "{path}: image without alt"
        );
        assert!(named(&tags, "script").is_empty(), "{path}: works without scripts");
        assert!(
            tags.iter().all(|tag| tag.get("style").is_none()),
            "{path}: the content policy drops inline style"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_page_has_its_landmarks_and_headings_in_order() {
    for (path, page) in pages().await {
        let tags = tags(&page);
        let language = if path == "/es/" { "es" } else { "en" };
        assert_eq!(named(&tags, "html")[0].get("lang"), Some(language), "{path}");
        for landmark in ["header", "nav", "main", "footer", "h1", "title"] {
            assert_eq!(named(&tags, landmark).len(), 1, "{path}: {landmark}");
        }
        assert_eq!(named(&tags, "a")[0].get("class"), Some("skip"), "{path}: the skip link comes first");
        let sample = if language == "es" { "Sitio de muestra." } else { "Sample site." };
        assert_eq!(named(&tags, "strong")[0].text, sample, "{path}: marked as a sample");
        let is_heading = |tag: &&Tag| matches!(tag.name.as_str(), "h1" | "h2" | "h3");
        let mut level = 0;
        for heading in tags.iter().filter(is_heading) {
            let next: i32 = heading.name[1..].parse().unwrap();
            let summary_first = level == 0 && heading.get("id") == Some("faults");
            assert!(next <= level + 1 || summary_first, "{path}: {} jumps", heading.text);
            assert!(!heading.text.trim().is_empty(), "{path}: an empty heading");
            level = next;
        }
        let current = tags.iter().filter(|tag| tag.get("aria-current").is_some()).count();
        let listed = site().documents.get(&path).is_some();
        assert_eq!(current, usize::from(listed), "{path}: marked in the navigation");
        for cell in named(&tags, "th") {
            assert!(cell.get("scope").is_some(), "{path}: header cell without scope");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_link_leads_somewhere() {
    let site = site();
    for (path, page) in pages().await {
        for tag in tags(&page) {
            let targets = ["href", "src", "action"].into_iter().filter_map(|name| tag.get(name));
            for target in targets.filter(|target| target.starts_with('/')) {
                let known = site.documents.get(target).is_some() || target == "/polling-place/lookup";
                assert!(known, "{path}: {target} is not there");
            }
            let href = tag.get("href").unwrap_or("#");
            let kinds = ["/", "#", "tel:+1555555", "mailto:"];
            assert!(kinds.iter().any(|kind| href.starts_with(kind)), "{path}: {href} leaves the site");
            assert!(!href.starts_with("mailto:") || href.ends_with("@elections.example"), "{path}: {href}");
        }
    }
    let sitemap = text(get(&site, "/sitemap.xml").await).await;
    let listed: BTreeSet<_> = sitemap
        .lines()
        .filter_map(|line| line.strip_prefix("<url><loc>https://www.elections.example"))
        .collect();
    let expected: BTreeSet<_> = site
        .documents
        .iter()
        .filter(|(_, document)| document.content_type == HTML)
        .map(|(path, _)| path)
        .collect();
    let listed: BTreeSet<_> = listed.iter().filter_map(|line| line.strip_suffix("</loc></url>")).collect();
    assert_eq!(listed, expected, "the sitemap lists the pages");
}

#[tokio::test(start_paused = true)]
async fn pages_are_small() {
    for (path, page) in pages().await {
        assert!(page.len() < 30 * 1024, "{path}: {} bytes", page.len());
        if path == "/" {
            assert!(
                (9 * 1024..12 * 1024).contains(&page.len()),
                "the home page stands for a 10 KiB page: {}",
                page.len()
            );
        }
    }
}
