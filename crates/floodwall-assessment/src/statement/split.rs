//! A text as sentences, each with the records that stand behind it in brackets.

/// A sentence of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The sentence, its white space made single.
    pub(super) text: String,
    /// What stands in brackets behind it, cut at each `;`.
    pub(super) cites: Vec<String>,
}

/// Words that end with a full stop and end no sentence.
const ABBREVIATIONS: [&str; 16] = [
    "mr.", "mrs.", "ms.", "dr.", "st.", "no.", "sr.", "sra.", "gov.", "dept.", "jan.", "feb.", "aug.",
    "sept.", "oct.", "nov.",
];

/// Sentences end with `.`, `!` or `?` before white space or the end, and with a blank line. Lines that begin
/// with `#` are headings and no sentences.
pub(super) fn sentences(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let text = text.replace("\r\n", "\n");
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().filter(|line| !line.trim_start().starts_with('#'));
        lines.collect::<Vec<_>>().join(" ")
    });
    for paragraph in paragraphs {
        let mut words: Vec<&str> = Vec::new();
        let mut rest = paragraph.split_whitespace().peekable();
        while let Some(word) = rest.next() {
            if word.starts_with('[') {
                let mut cited = vec![word];
                while !cited.last().is_some_and(|word| word.contains(']')) {
                    let Some(next) = rest.next() else { break };
                    cited.push(next);
                }
                cite(&mut found, &mut words, &cited.join(" "));
                continue;
            }
            words.push(word);
            let is_cited_next = rest.peek().is_some_and(|next| next.starts_with('['));
            if ends_sentence(word) && !is_cited_next {
                push(&mut found, &mut words, Vec::new());
            }
        }
        push(&mut found, &mut words, Vec::new());
    }
    found
}

fn push(found: &mut Vec<Found>, words: &mut Vec<&str>, cites: Vec<String>) {
    if !words.is_empty() {
        found.push(Found { text: words.join(" "), cites });
        words.clear();
    }
}

/// Brackets belong to the sentence before them, whether it has just ended or not.
fn cite(found: &mut Vec<Found>, words: &mut Vec<&str>, cited: &str) {
    let inner = cited.trim_start_matches('[').split(']').next().unwrap_or_default();
    let cites = inner.split(';').map(str::trim).filter(|cite| !cite.is_empty()).map(str::to_owned);
    let cites: Vec<String> = cites.collect();
    if words.is_empty() {
        if let Some(last) = found.last_mut() {
            last.cites.extend(cites);
        }
    } else {
        push(found, words, cites);
    }
}

fn ends_sentence(word: &str) -> bool {
    let bare = word.trim_end_matches(['"', '\'', ')', '”', '’', '»']);
    if bare.ends_with(['!', '?', '…']) {
        return true;
    }
    let Some(before) = bare.strip_suffix('.') else { return false };
    // `p.m.`, `U.S.` have a full stop within; hosts and numbers that end a sentence have no short parts.
    let is_initials = before.contains('.')
        && before.split('.').all(|part| part.chars().count() <= 2 && part.chars().all(char::is_alphabetic));
    let is_letter = before.chars().count() == 1 && before.chars().all(char::is_alphabetic);
    !is_initials && !is_letter && !ABBREVIATIONS.contains(&bare.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_and_what_backs_them() {
        let text = "# Statement\nOn November 8 at 2:02 p.m. CST, www.sos.example.gov was slow (see below). [incident a-1; evidence 2-9] \
                    We do not know why! Mr. Smith said 97.5%.\n\nNo full stop here [settings 0a]\n\nLast one.";
        let found: Vec<_> = sentences(text)
            .into_iter()
            .map(|found| format!("{} <{}>", found.text, found.cites.join("|")))
            .collect();
        assert_eq!(
            found,
            [
                "On November 8 at 2:02 p.m. CST, www.sos.example.gov was slow (see below). <incident a-1|evidence 2-9>",
                "We do not know why! <>",
                "Mr. Smith said 97.5%. <>",
                "No full stop here <settings 0a>",
                "Last one. <>",
            ]
        );
        assert!(sentences("[a] [b").is_empty());
    }
}
