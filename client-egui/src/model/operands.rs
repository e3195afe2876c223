//! The values of a list as a person types it: `a|b|c`, with `\` before what is meant as it is.

/// One value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// `null`: no value.
    Null,
    /// Anything else, without its escapes.
    Text(String),
}

/// Divides a list at each `|`. A `\` before `|`, `\` or a space, or at the beginning of a value, means
/// what follows as it is.
pub(super) fn split(list: &str) -> Vec<Operand> {
    let mut operands = Vec::new();
    let mut current = Typed::default();
    let mut rest = list.chars().peekable();
    while let Some(c) = rest.next() {
        let is_escape = c == '\\'
            && rest.peek().is_some_and(|next| {
                matches!(next, '|' | '\\') || next.is_whitespace() || current.text.is_empty()
            });
        if is_escape {
            current.push_literal(rest.next().unwrap_or('\\'));
        } else if c == '|' {
            operands.push(std::mem::take(&mut current).finish());
        } else {
            current.push(c);
        }
    }
    operands.push(current.finish());
    operands
}

/// What [`split`] reads back as this one text.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 2);
    let last = text.chars().count().saturating_sub(1);
    let is_word = text.to_lowercase() == "null";
    for (index, c) in text.chars().enumerate() {
        let at_an_end = index == 0 || index == last;
        if matches!(c, '|' | '\\') || (c.is_whitespace() && at_an_end) || (is_word && index == 0) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `text` without white space around it, unless that is escaped.
pub(super) fn trim(text: &str) -> &str {
    let text = text.trim_start();
    let trimmed = text.trim_end();
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    let next = text[trimmed.len()..].chars().next();
    match next {
        Some(space) if backslashes % 2 == 1 => &text[..trimmed.len() + space.len_utf8()],
        _ => trimmed,
    }
}

/// A value as far as it has been read.
#[derive(Default)]
struct Typed {
    text: String,
    /// Up to here white space at the end is meant.
    kept: usize,
    has_escapes: bool,
}

impl Typed {
    fn push(&mut self, c: char) {
        if self.text.is_empty() && c.is_whitespace() {
            return;
        }
        self.text.push(c);
        if !c.is_whitespace() {
            self.kept = self.text.len();
        }
    }

    fn push_literal(&mut self, c: char) {
        self.text.push(c);
        self.kept = self.text.len();
        self.has_escapes = true;
    }

    fn finish(mut self) -> Operand {
        self.text.truncate(self.kept);
        if !self.has_escapes && self.text.to_lowercase() == "null" {
            Operand::Null
        } else {
            Operand::Text(self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Operand {
        Operand::Text(text.to_owned())
    }

    #[test]
    fn lists_are_divided_and_trimmed() {
        assert_eq!(split("a| b c |d"), [text("a"), text("b c"), text("d")]);
        assert_eq!(split("a|NULL"), [text("a"), Operand::Null]);
        assert_eq!(split("|a"), [text(""), text("a")]);
    }

    #[test]
    fn what_is_escaped_is_meant_as_it_is() {
        assert_eq!(split(r"a\|b|\null"), [text("a|b"), text("null")]);
        assert_eq!(split(r"C:\dir"), [text(r"C:\dir")]);
        assert_eq!(split(r"\ a\ |\\"), [text(" a "), text(r"\")]);
    }

    #[test]
    fn every_text_reads_back() {
        let odd = [
            "", "a", "|", "\\", "a\\", "\\a", "\\|", " ", "  a  ", "null", "Null", "a|b\\c d",
            "\t", "\\null", " null", "ends \\ ",
        ];
        for a in odd {
            for b in odd {
                let list = format!("{}|{}", escape(a), escape(b));
                assert_eq!(split(trim(&list)), [text(a), text(b)], "{list:?}");
            }
        }
    }
}
