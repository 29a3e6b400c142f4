//! Entry point for fuzzing: takes arbitrary bytes and panics when a promise is broken.

use crate::claim::{TARGETS_MAX, TEXT_BYTES_MAX};
use crate::host::TargetName;
use crate::moment::Moment;
use crate::reading::read_text;
use crate::statement::lint;

/// A post: names are ASCII and read the same again, and nothing grows beyond its bound.
pub fn post(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let reading = read_text(&text, &[], Moment::second(0));
    assert!(reading.text.len() <= TEXT_BYTES_MAX, "a text without bound");
    assert!(reading.targets.len() <= TARGETS_MAX, "targets without bound");
    for target in &reading.targets {
        let shown = target.name.to_string();
        assert!(shown.is_ascii(), "a name that could pass for another");
        let again = TargetName::parse(&shown).map(|(name, _)| name);
        assert_eq!(again.as_ref(), Ok(&target.name), "a name that is read as another");
    }
    let _ = Moment::parse(&text);
    for fault in lint(&text, None, &[]) {
        let mut words = fault.sentence.trim_end_matches('…').split_whitespace();
        assert!(words.all(|word| text.contains(word)), "a word that is not there");
    }
}
