//! Random searches: as the protocol asks for them, and as SQL.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::filters::ilike;
use crate::kinds::KINDS;
use crate::table::{Column, NAME, Table, quoted};

/// Columns that a search without an index looks into.
const COLUMNS_MAX: usize = 32;

/// What serves the searches of a table.
#[derive(Clone, Debug)]
pub(crate) enum SearchIndex {
    None,
    /// Of the texts in these columns.
    Trigrams(Vec<usize>),
    /// For full text.
    FullText {
        /// SQL of type tsvector.
        document: String,
        /// SQL of type regconfig.
        configuration: String,
    },
}

/// A search, and the same in SQL.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) words: String,
    pub(crate) condition: String,
    /// The rank of a row, if the table may be searched by full text.
    pub(crate) rank: Option<String>,
}

impl SearchIndex {
    /// For full text in these columns.
    pub(crate) fn full_text(columns: &[Column], places: &[usize], configuration: &str) -> Self {
        let text = |&at: &usize| {
            let name = columns[at].sql();
            format!("coalesce({name}::text COLLATE \"C\", '')")
        };
        let texts: Vec<String> = places.iter().map(text).collect();
        let configuration = format!("'{configuration}'::regconfig");
        Self::FullText {
            document: format!(
                "to_tsvector({configuration}, {})",
                texts.join(" || ' ' || ")
            ),
            configuration,
        }
    }

    /// One that fits the columns, or none.
    pub(crate) fn random(columns: &[Column], rng: &mut ChaCha8Rng) -> Self {
        let mut texts = text_columns(columns);
        texts.retain(|&at| columns[at].kind.repeated == 1);
        if texts.is_empty() {
            return Self::None;
        }
        texts.shuffle(rng);
        texts.truncate(rng.random_range(1..=texts.len()));
        match rng.random_range(0..5) {
            0 | 1 => Self::full_text(columns, &texts, ["simple", "english"].choose(rng).unwrap()),
            2 => {
                let vectors = (0..columns.len()).filter(|&at| columns[at].kind.sql == "tsvector");
                match vectors.collect::<Vec<_>>().choose(rng) {
                    Some(&at) => Self::FullText {
                        document: columns[at].sql(),
                        configuration: "current_setting('default_text_search_config')::regconfig"
                            .to_owned(),
                    },
                    None => Self::full_text(columns, &texts, "simple"),
                }
            }
            3 => {
                let fits = |at: &usize| {
                    let kind = columns[*at].kind;
                    ["text", "varchar"].contains(&kind.cast) && !kind.folds()
                };
                texts.retain(fits);
                texts.sort_unstable();
                Self::Trigrams(texts)
            }
            _ => Self::None,
        }
    }

    /// SQL that makes the index.
    pub(crate) fn setup(&self, columns: &[Column]) -> String {
        match self {
            Self::None => String::new(),
            Self::Trigrams(places) => {
                let index = |&at: &usize| {
                    let name = columns[at].sql();
                    format!("CREATE INDEX ON {NAME} USING gin ({name} gin_trgm_ops);")
                };
                let indexes: String = places.iter().map(index).collect();
                format!("CREATE EXTENSION IF NOT EXISTS pg_trgm; {indexes}")
            }
            Self::FullText { document, .. } => {
                format!("CREATE INDEX ON {NAME} USING gin (({document}));")
            }
        }
    }
}

fn text_columns(columns: &[Column]) -> Vec<usize> {
    (0..columns.len())
        .filter(|&at| columns[at].kind.is_text())
        .collect()
}

impl Search {
    /// One or two words; `None` if the table cannot be searched.
    pub(crate) fn random(table: &Table, rng: &mut ChaCha8Rng) -> Option<Self> {
        let mut columns = text_columns(&table.columns);
        if columns.is_empty() {
            return None;
        }
        if let SearchIndex::Trigrams(places) = &table.search
            && !places.is_empty()
        {
            columns.clone_from(places);
        }
        columns.truncate(COLUMNS_MAX);
        let words: Vec<String> = (0..rng.random_range(1..3))
            .flat_map(|_| word(rng))
            .collect();
        if words.is_empty() {
            return None;
        }
        let contains = |word: &String| {
            let one = |&at: &usize| ilike(&table.columns[at], &format!("%{}%", escaped(word)));
            let any: Vec<String> = columns.iter().map(one).collect();
            format!("({})", any.join(" OR "))
        };
        let plain: Vec<String> = words.iter().map(contains).collect();
        let plain = format!("({})", plain.join(" AND "));
        let (condition, rank) = match &table.search {
            SearchIndex::FullText {
                document,
                configuration,
            } => {
                let quote =
                    |word: &String| format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"));
                let all: Vec<String> = words.iter().map(quote).collect();
                let query = quoted(&format!("{}:*", all.join(" & ")));
                let query = format!("(SELECT to_tsquery({configuration}, {query}))");
                // A query of nothing but stop words is looked for as it is typed.
                let found = format!(
                    "(CASE WHEN numnode({query}) > 0 THEN {document} @@ {query} ELSE {plain} END)"
                );
                (found, Some(format!("ts_rank_cd({document}, {query})")))
            }
            _ => (plain, None),
        };
        Some(Self {
            words: words.join(" "),
            condition,
            rank,
        })
    }
}

fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

/// A piece of a text that rows hold; it may have several words, or none.
fn word(rng: &mut ChaCha8Rng) -> Vec<String> {
    let texts = KINDS.iter().find(|kind| kind.is_text()).unwrap().values;
    let text: Vec<char> = texts.choose(rng).unwrap().chars().collect();
    let end = rng.random_range(0..=text.len());
    let piece: String = text[..end].iter().collect();
    piece.split_whitespace().map(ToOwned::to_owned).collect()
}
