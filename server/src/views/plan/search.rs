//! What a search means: by full text where the table has an index for it, else by parts of its texts.

use protocol::{ColumnKind, ErrorCode, Highlight};
use sqlx::postgres::PgPool;
use view_index::Predicate;

use super::{Refusal, unreadable};
use crate::db::catalog::TableDef;
use crate::db::query::Condition;
use crate::db::search::{TextIndex, TextQuery, search_indexes, text_query};
use crate::limits::{SEARCH_CHARS_MAX, SEARCH_COLUMNS_MAX, SEARCH_WORDS_MAX};
use crate::views::answers::Answers;

/// A search that PostgreSQL has read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Search {
    /// By the table's index for full-text search.
    FullText {
        /// The index.
        index: TextIndex,
        /// The query, as PostgreSQL writes a tsquery.
        query: String,
    },
    /// By parts of the texts in some columns.
    Words {
        /// The columns: those with a trigram index, if there are any, else all that hold text.
        columns: Vec<usize>,
        /// What each of the rows has to contain.
        words: Vec<String>,
    },
}

/// Checks a search, and asks PostgreSQL what it means; `None` if there is nothing to look for.
///
/// # Errors
/// If it is too long, or the table has no text.
pub(super) async fn read(
    search: Option<&str>,
    table: &TableDef,
    pool: &PgPool,
) -> Result<Option<(Search, Highlight)>, Refusal> {
    let Some(words) = words(search.unwrap_or_default())? else {
        return Ok(None);
    };
    let indexes = search_indexes(pool, table)
        .await
        .map_err(|error| unreadable(&error))?;
    if let Some(index) = indexes.full_text {
        let query = text_query(pool, &index, &words)
            .await
            .map_err(|error| unreadable(&error))?;
        // Words that full text leaves out ("the") are looked for as they are.
        if let Some(TextQuery { query, lexemes }) = query {
            let mut terms = words;
            terms.extend(lexemes);
            let highlight = highlight(terms, true);
            return Ok(Some((Search::FullText { index, query }, highlight)));
        }
    }
    let holds_text = |&column: &usize| table.columns[column].shown.kind == ColumnKind::Text;
    let mut columns = indexes.trigrams;
    columns.retain(holds_text);
    if columns.is_empty() {
        columns = (0..table.columns.len()).filter(holds_text).collect();
    }
    columns.truncate(SEARCH_COLUMNS_MAX);
    if columns.is_empty() {
        let message = format!(
            "{} cannot be searched: none of its columns is text; filter it instead",
            table.sql_name
        );
        return Err(Refusal::new(ErrorCode::BadSearch, message));
    }
    let highlight = highlight(words.clone(), false);
    Ok(Some((Search::Words { columns, words }, highlight)))
}

/// The words of a search; `None` if it has none.
fn words(search: &str) -> Result<Option<Vec<String>>, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::BadSearch, message));
    if search.chars().count() > SEARCH_CHARS_MAX {
        return refuse(format!("a search may have {SEARCH_CHARS_MAX} characters"));
    }
    if search.contains('\0') {
        return refuse("a search may not hold a zero byte".to_owned());
    }
    let words: Vec<String> = search.split_whitespace().map(ToOwned::to_owned).collect();
    if words.len() > SEARCH_WORDS_MAX {
        return refuse(format!("a search may have {SEARCH_WORDS_MAX} words"));
    }
    Ok((!words.is_empty()).then_some(words))
}

fn highlight(terms: Vec<String>, at_word_start: bool) -> Highlight {
    let mut distinct: Vec<String> = Vec::with_capacity(terms.len());
    for term in terms {
        let folded = term.to_lowercase();
        if !folded.is_empty() && !distinct.contains(&folded) {
            distinct.push(folded);
        }
    }
    Highlight {
        terms: distinct,
        at_word_start,
    }
}

impl Search {
    /// The search in SQL.
    pub(super) fn condition(&self, table: &TableDef) -> Condition {
        match self {
            Self::FullText { index, query } => Condition::full_text(&index.document, query.clone()),
            Self::Words { columns, words } => Condition::words(table, columns, words),
        }
    }

    /// The search as a condition of `answers`.
    pub(super) fn predicate(&self, table: &TableDef, answers: &mut Answers) -> Predicate {
        let columns = match self {
            Self::FullText { index, .. } => &index.columns,
            Self::Words { columns, .. } => columns,
        };
        Predicate::Asked {
            columns: columns.as_slice().into(),
            condition: answers.condition(self.condition(table)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_words() {
        assert_eq!(words(" \t "), Ok(None));
        let two = vec!["gaming".to_owned(), "lapt".to_owned()];
        assert_eq!(words("  gaming\n lapt "), Ok(Some(two)));
        for bad in ["x".repeat(201), "x ".repeat(17), "a\0b".to_owned()] {
            assert_eq!(words(&bad).map_err(|e| e.code), Err(ErrorCode::BadSearch));
        }
    }

    #[test]
    fn terms_are_marked_once() {
        let terms = ["Game", "game", "", "GAMES"].map(str::to_owned).to_vec();
        assert_eq!(highlight(terms, true).terms, ["game", "games"]);
    }
}
