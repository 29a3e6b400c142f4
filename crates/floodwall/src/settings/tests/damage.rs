//! Texts at random and damaged files: no panic, and every fault in its place.

use proptest::prelude::*;

use super::documentation::example_in_full;
use super::*;

/// Whatever the text: no panic, and every fault has its place in it.
fn check_places(text: &str) -> Result<(), TestCaseError> {
    let result = read(text);
    if let Err(faults) = &result {
        prop_assert!(faults.has_errors());
    }
    let faults = match result {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults,
    };
    let lines: Vec<&str> = text.split('\n').collect();
    for fault in &faults {
        prop_assert!(!fault.problem.is_empty() && !fault.fix.is_empty());
        if let (Some(line), Some(column)) = (fault.line, fault.column) {
            prop_assert!((1..=lines.len()).contains(&line), "{fault}");
            prop_assert!((1..=lines[line - 1].chars().count() + 1).contains(&column), "{fault}");
        }
    }
    let _ = (faults.render(TextForm { color: true, columns: 0 }), faults.to_json());
    Ok(())
}

/// Words that make a text look like settings.
const TOKENS: &[&str] = &[
    "[server]",
    "[[site]]",
    "[site.limits]",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "\n",
    "\n",
    "=",
    " = ",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "http",
    "hosts",
    "origin",
    "name",
    "workers",
    "\"0.0.0.0:80\"",
    "\"http://a:80\"",
    "\"*\"",
    "10s",
    "1",
    "-1",
    "1e9",
    "ü",
    "\r\n",
    "\u{feff}",
    "\0",
    ".",
    "http://x:y@z",
    "true",
    "1979-05-27",
    "\\",
];

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        check_places(&text)?;
    }

    #[test]
    fn no_mixture_of_words_panics(words in prop::collection::vec(prop::sample::select(TOKENS), 0..60)) {
        check_places(&words.concat())?;
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_in_its_place(
        from in any::<prop::sample::Index>(),
        length in 0_usize..30,
        insert in prop::sample::select(TOKENS),
    ) {
        let full = example_in_full();
        let boundaries: Vec<usize> = full.char_indices().map(|(at, _)| at).collect();
        let at = from.index(boundaries.len());
        let end = boundaries.get(at + length).copied().unwrap_or(full.len());
        let mut damaged = full.clone();
        damaged.replace_range(boundaries[at]..end, insert);
        check_places(&damaged)?;
    }
}
