//! Text in the order in which it is read on the screen: egui shapes the words of right-to-left
//! scripts, but puts them side by side in memory order, and turns round what else is in the same
//! run.

use std::ops::Range;

use unicode_bidi::BidiInfo;

/// Whether a text has anything to put in order: nearly none has, and the question is cheap.
pub(super) fn has_right_to_left(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(is_right_to_left)
}

/// Hebrew, Arabic, Syriac, Thaana, N’Ko and their kin, with their presentation forms.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// A part of a text that has one direction, so that it can be shaped by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct VisualPart {
    /// The bytes of the text that it shows.
    pub(super) source: Range<usize>,
    /// What to draw.
    pub(super) shown: String,
    /// One word of a right-to-left script, whose letters join; else the text as it is.
    pub(super) is_word: bool,
}

/// The parts of a text from left to right.
pub(super) fn visual_parts(text: &str) -> Vec<VisualPart> {
    let info = BidiInfo::new(text, None);
    let mut parts = Vec::new();
    for paragraph in &info.paragraphs {
        let (levels, runs) = info.visual_runs(paragraph, paragraph.range.clone());
        for run in runs {
            let part = &text[run.clone()];
            if levels[run.start].is_rtl() {
                let mut end = run.end;
                for word in words(part).into_iter().rev() {
                    parts.push(VisualPart {
                        source: end - word.len()..end,
                        shown: joined(word),
                        is_word: true,
                    });
                    end -= word.len();
                }
            } else {
                parts.push(VisualPart {
                    source: run,
                    shown: part.to_owned(),
                    is_word: false,
                });
            }
        }
    }
    parts
}

/// Words and the spaces between them, in memory order.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_space = first.is_whitespace();
        let end = rest
            .find(|c: char| c.is_whitespace() != is_space)
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

/// A word whose letters join. Natively the shaper joins them.
#[cfg(not(target_arch = "wasm32"))]
fn joined(word: &str) -> String {
    word.to_owned()
}

/// A word whose letters join. A browser draws every letter by itself (no font of the page has
/// them), so each must be the form that it has at its place in the word.
#[cfg(target_arch = "wasm32")]
fn joined(word: &str) -> String {
    thread_local! {
        static RESHAPER: ar_reshaper::ArabicReshaper = ar_reshaper::ArabicReshaper::default();
    }
    RESHAPER.with(|reshaper| reshaper.reshape(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let parts = visual_parts(text).into_iter();
        parts.map(|part| part.shown).collect()
    }

    #[test]
    fn left_to_right_text_is_left_alone() {
        assert!(!has_right_to_left("Zoë’s Café – 漢字 हिन्दी"));
    }

    #[test]
    fn words_of_right_to_left_text_start_at_the_right() {
        let text = "שלום עולם";
        assert!(has_right_to_left(text));
        assert_eq!(shown(text), ["עולם", " ", "שלום"]);
        for part in visual_parts(text) {
            assert_eq!(&text[part.source], part.shown);
        }
    }

    #[test]
    fn latin_words_and_numbers_keep_their_direction() {
        assert_eq!(shown("Laptop שלום 810").concat(), "Laptop 810 שלום");
        assert_eq!(shown("שלום Pro 810").concat(), "Pro 810 שלום");
    }
}
