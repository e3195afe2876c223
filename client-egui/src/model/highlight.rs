//! Which parts of a text a search has found.

use std::ops::Range;

use protocol::Highlight;

/// One character of a text in lower case (a character can become several), and the bytes it came from.
struct Lower {
    char: char,
    bytes: Range<usize>,
}

/// The parts of `text` that a search has found, in bytes: in order, apart from each other, and whole
/// characters of `text` even where a lower-case letter is longer or shorter than its upper-case one.
pub fn marked_parts(highlight: &Highlight, text: &str) -> Vec<Range<usize>> {
    let lower: Vec<Lower> = text
        .char_indices()
        .flat_map(|(start, char)| {
            let bytes = start..start + char.len_utf8();
            char.to_lowercase().map(move |char| Lower {
                char,
                bytes: bytes.clone(),
            })
        })
        .collect();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for term in &highlight.terms {
        let term: Vec<char> = term.chars().collect();
        parts.extend(occurrences(&lower, &term, highlight.at_word_start));
    }
    parts.sort_by_key(|part| (part.start, part.end));
    merged(parts)
}

fn occurrences(lower: &[Lower], term: &[char], at_word_start: bool) -> Vec<Range<usize>> {
    if term.is_empty() {
        return Vec::new();
    }
    let is_found = |at: &usize| {
        let begins_a_word = *at == 0 || !lower[at - 1].char.is_alphanumeric();
        let here = &lower[*at..at + term.len()];
        (begins_a_word || !at_word_start)
            && here
                .iter()
                .zip(term)
                .all(|(lower, char)| lower.char == *char)
    };
    let last = lower.len().checked_sub(term.len());
    let starts = last.into_iter().flat_map(|last| 0..=last);
    starts
        .filter(is_found)
        .map(|at| lower[at].bytes.start..lower[at + term.len() - 1].bytes.end)
        .collect()
}

/// Parts in order, those that overlap or touch as one.
fn merged(parts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'a>(terms: &[&str], at_word_start: bool, text: &'a str) -> Vec<&'a str> {
        let highlight = Highlight {
            terms: terms.iter().map(|term| (*term).to_owned()).collect(),
            at_word_start,
        };
        let parts = marked_parts(&highlight, text);
        parts.into_iter().map(|part| &text[part]).collect()
    }

    #[test]
    fn case_is_ignored_and_every_occurrence_is_marked() {
        assert_eq!(marked(&["lap"], false, "LAPtop, overlap"), ["LAP", "lap"]);
        assert_eq!(marked(&["lap"], true, "LAPtop, overlap"), ["LAP"]);
        assert!(marked(&["lap"], false, "la").is_empty());
        assert!(marked(&[], false, "anything").is_empty());
    }

    #[test]
    fn terms_that_overlap_or_touch_are_one_part() {
        assert_eq!(
            marked(&["run", "running"], true, "run running"),
            ["run", "running"]
        );
        assert_eq!(marked(&["ab", "bc", "cd"], false, "xabcdx"), ["abcd"]);
        assert_eq!(marked(&["aa"], false, "aaa"), ["aaa"]);
    }

    #[test]
    fn words_begin_behind_what_is_neither_letter_nor_digit() {
        assert_eq!(marked(&["pro"], true, "non-pro pro_x 2pro"), ["pro", "pro"]);
        assert_eq!(marked(&["ノート"], true, "· ノートパソコン"), ["ノート"]);
    }

    #[test]
    fn letters_of_other_lengths_in_lower_case_stay_whole() {
        // İ becomes two characters, ẞ a shorter one.
        assert_eq!(marked(&["i"], false, "İstanbul"), ["İ"]);
        assert_eq!(marked(&["straß"], false, "STRAẞE"), ["STRAẞ"]);
        assert_eq!(marked(&["شاي"], false, "شاي أخضر"), ["شاي"]);
    }
}
