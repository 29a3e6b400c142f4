//! A reader of the site's own HTML, just able enough to check it: tags, attributes, text.

use std::collections::BTreeMap;

/// Elements without an end tag.
const VOID: &[&str] = &["meta", "link", "img", "br", "input"];

#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    /// Text up to the matching end tag, tags left out.
    pub(super) text: String,
}

impl Tag {
    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }
}

/// All start tags in order. Panics where tags do not match, which is what is being tested.
pub(super) fn tags(html: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").expect("doctype");
    while let Some((text, after)) = rest.split_once('<') {
        for index in &open {
            tags[*index].text.push_str(text);
        }
        let (inside, after) = after.split_once('>').expect("tag ends");
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            let index = open.pop().expect("an open tag");
            assert_eq!(tags[index].name, name, "end tag matches");
        } else {
            let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
            if !VOID.contains(&name) {
                open.push(tags.len());
            }
            tags.push(Tag {
                name: name.to_owned(),
                attributes: read_attributes(attributes),
                text: String::new(),
            });
        }
    }
    assert!(open.is_empty(), "all tags are closed");
    tags
}

fn read_attributes(mut text: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    while !text.trim().is_empty() {
        text = text.trim_start();
        let end = text.find([' ', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (value, rest) = match rest.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').expect("attribute ends"),
            None => ("", rest),
        };
        assert!(attributes.insert(name.to_owned(), value.to_owned()).is_none(), "{name} is given twice");
        text = rest;
    }
    attributes
}
