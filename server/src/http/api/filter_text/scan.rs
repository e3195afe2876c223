//! Reads a filter's text piece by piece.

use protocol::Value;

/// Where a filter's text is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: expected {}, found {found}", .expected.join(", "))]
pub struct TextError {
    /// The character at which it is wrong, from 1.
    pub position: usize,
    /// What could stand there.
    pub expected: Vec<String>,
    /// What stands there.
    pub found: String,
}

/// Words that are no values and no columns unless they are quoted.
pub const RESERVED: [&str; 7] = ["and", "or", "not", "in", "is", "between", "null"];

/// A text, and how far it has been read.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Nothing is read yet.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What is not read yet, after white space.
    pub fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    /// Reads a piece that the rest starts with.
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Whether everything is read.
    pub fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    /// Reads this symbol, if it is next.
    pub fn symbol(&mut self, symbol: &str) -> bool {
        let is_next = self.rest().starts_with(symbol);
        if is_next {
            self.advance(symbol.len());
        }
        is_next
    }

    /// Reads this word, if it is next, in either letter case.
    pub fn word(&mut self, word: &str) -> bool {
        let is_next = self.peek_word().eq_ignore_ascii_case(word);
        if is_next {
            self.advance(word.len());
        }
        is_next
    }

    /// The word that is next: letters, digits, `_` and `$`, not starting with a digit. Empty if none is.
    pub fn peek_word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_inside = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
        let end = rest.find(|letter| !is_inside(letter));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word.starts_with(|first: char| first.is_numeric() || first == '$') {
            ""
        } else {
            word
        }
    }

    /// What is wrong here.
    pub fn expected<T: Into<String>>(
        &mut self,
        expected: impl IntoIterator<Item = T>,
    ) -> TextError {
        let rest = self.rest();
        let piece: String = rest
            .chars()
            .take_while(|letter| !letter.is_whitespace())
            .take(20)
            .collect();
        TextError {
            position: self.text[..self.at].chars().count() + 1,
            expected: expected.into_iter().map(Into::into).collect(),
            found: if rest.is_empty() {
                "the end".to_owned()
            } else {
                format!("`{piece}`")
            },
        }
    }

    /// A text between quotes of this kind, which are doubled inside it, if one is next.
    pub fn quoted(&mut self, quote: char) -> Result<Option<String>, TextError> {
        let rest = self.rest();
        if !rest.starts_with(quote) {
            return Ok(None);
        }
        let mut text = String::new();
        let mut inside = rest[1..].char_indices().peekable();
        while let Some((at, letter)) = inside.next() {
            if letter != quote {
                text.push(letter);
            } else if inside.peek().is_some_and(|(_, next)| *next == quote) {
                inside.next();
                text.push(quote);
            } else {
                self.advance(1 + at + 1);
                return Ok(Some(text));
            }
        }
        self.at = self.text.len();
        Err(self.expected([format!("the closing {quote}")]))
    }

    /// A column: a word, or anything between double quotes.
    pub fn column(&mut self) -> Result<String, TextError> {
        if let Some(name) = self.quoted('"')? {
            return Ok(name);
        }
        let word = self.peek_word();
        if word.is_empty() || is_reserved(word) {
            return Err(self.expected(["a column"]));
        }
        self.advance(word.len());
        Ok(word.to_owned())
    }

    /// A value: anything between single or double quotes, or a piece without spaces, commas,
    /// parentheses, quotes and comparison signs.
    pub fn value(&mut self) -> Result<Value, TextError> {
        for quote in ['\'', '"'] {
            if let Some(text) = self.quoted(quote)? {
                return Ok(Value::Text(text));
            }
        }
        let rest = self.rest();
        let ends = |letter: char| letter.is_whitespace() || ",()'\"<>=!".contains(letter);
        let piece = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if piece.eq_ignore_ascii_case("null") {
            return Err(self.expected([
                "a value (nothing compares with null: write `is null`, or 'null' for the text)",
            ]));
        }
        if piece.is_empty() || is_reserved(piece) {
            return Err(self.expected(["a value (in quotes if it is a word of the grammar)"]));
        }
        self.advance(piece.len());
        Ok(bare(piece))
    }
}

/// Whether a word needs quotes to be a column or a value.
pub fn is_reserved(word: &str) -> bool {
    RESERVED
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// A value without quotes: the number or truth value that is written exactly so, else a text. (Either
/// is read by PostgreSQL as the column's type.)
fn bare(piece: &str) -> Value {
    match piece {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(int) = piece.parse::<i64>()
        && int.to_string() == piece
    {
        return Value::Int(int);
    }
    if let Ok(float) = piece.parse::<f64>()
        && float.is_finite()
        && format!("{float:?}") == piece
    {
        return Value::Float(float);
    }
    Value::text(piece)
}
