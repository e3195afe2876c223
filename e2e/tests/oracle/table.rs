//! The table of a run: a fixed one, or one of random types, keys, indexes and partitions.

use e2e::SetClock;
use protocol::{ColumnKind, Value};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::kinds::{KINDS, Kind, TYPES};
use crate::searches::SearchIndex;

/// The name of every run's table.
pub(crate) const NAME: &str = "things";
/// The name of the view that a run may look at instead.
pub(crate) const VIEW: &str = "shown";

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The bare name.
    pub(crate) name: String,
    pub(crate) kind: &'static Kind,
    pub(crate) nullable: bool,
    /// Whether the server lets clients sort by it; known once the server was asked.
    pub(crate) sortable: bool,
    /// What the server calls its type; known once it was asked.
    pub(crate) shape: ColumnKind,
    /// What time it is in the run: some dates are near.
    clock: SetClock,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The name, in SQL and for clients.
    pub(crate) name: &'static str,
    /// What makes it, empty.
    pub(crate) setup: String,
    pub(crate) columns: Vec<Column>,
    /// The primary key: places in `columns`, in key order.
    pub(crate) key: Vec<usize>,
    /// The column of the key that alone tells rows apart.
    pub(crate) unique: usize,
    /// The columns of each index, and whether they descend.
    pub(crate) indexes: Vec<Vec<(usize, bool)>>,
    /// How it is searched.
    pub(crate) search: SearchIndex,
    /// Its partitions, to be written to directly.
    pub(crate) leaves: Vec<String>,
}

/// A constant in SQL, of no type yet.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Column {
    fn new(name: &str, kind: &'static Kind, nullable: bool, clock: &SetClock) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            nullable,
            sortable: kind.has_order,
            shape: ColumnKind::Other,
            clock: clock.clone(),
        }
    }

    /// The name in SQL.
    pub(crate) fn sql(&self) -> String {
        identifier(&self.name)
    }

    /// A constant of the column's type.
    pub(crate) fn constant(&self, text: &str) -> String {
        format!("{}::{}", quoted(text), self.kind.cast)
    }

    /// A value for a row; `None` is `NULL`.
    pub(crate) fn value(&self, rng: &mut ChaCha8Rng) -> Option<String> {
        if self.nullable && rng.random_bool(0.15) {
            return None;
        }
        if let Some(near) = self.kind.near
            && rng.random_bool(0.4)
        {
            let reach = *[60, 3_600, 100_000, 5_000_000].choose(rng)?;
            return Some(near(self.clock.now() + rng.random_range(-reach..=reach)));
        }
        if let Some(nth) = self.kind.nth
            && rng.random_bool(0.1)
        {
            // Now and then one of many values instead of one of few.
            return Some(nth(rng.random_range(0..5_000)));
        }
        let text = *self.kind.values.choose(rng)?;
        Some(text.repeat(self.kind.repeated))
    }

    /// What `to_json` writes, as the protocol shows it, or the type's own text.
    pub(crate) fn shown_text(&self) -> String {
        let name = self.sql();
        if self.kind.is_worded {
            format!("{name}::text")
        } else if self.kind.is_nested {
            format!("to_json({name})::text")
        } else {
            format!("to_json({name}) #>> '{{}}'")
        }
    }
}

impl Table {
    /// The `n`th row: its key follows from `n`, the other values do not.
    pub(crate) fn row(&self, n: u64, rng: &mut ChaCha8Rng) -> Vec<Option<String>> {
        let value = |(at, column): (usize, &Column)| {
            if at == self.unique {
                return column.kind.nth.map(|nth| nth(n));
            }
            if self.key.contains(&at) {
                let values = column.kind.values;
                let place = usize::try_from(n).unwrap() % values.len();
                return Some(values[place].to_owned());
            }
            column.value(rng)
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    /// Whether a row has this key, as a condition.
    pub(crate) fn is_row(&self, key: &[Value]) -> String {
        let test = |(&at, value): (&usize, &Value)| {
            let column = &self.columns[at];
            let text = value.to_postgres_text().unwrap_or_default();
            format!("{} = {}", column.sql(), column.constant(&text))
        };
        self.key
            .iter()
            .zip(key)
            .map(test)
            .collect::<Vec<_>>()
            .join(" AND ")
    }

    /// The names of some columns, separated by commas.
    pub(crate) fn names(&self, columns: &[usize]) -> String {
        let names: Vec<String> = columns.iter().map(|&at| self.columns[at].sql()).collect();
        names.join(", ")
    }

    /// The columns that are not part of the key.
    pub(crate) fn values(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|at| !self.key.contains(at))
            .collect()
    }

    /// Whether the log leaves values out of its images: a view that needs one is built anew.
    pub(crate) fn has_long_values(&self) -> bool {
        self.columns.iter().any(|column| column.kind.repeated > 1)
    }

    /// The table that the tests of certain sizes use: every order that the server evaluates itself, and
    /// two that only PostgreSQL knows.
    pub(crate) fn fixed(clock: &SetClock) -> Self {
        let column = |name: &str, sql: &str, nullable: bool| {
            let kind = KINDS.iter().find(|kind| kind.sql == sql).unwrap();
            Column::new(name, kind, nullable, clock)
        };
        let columns = vec![
            column("region", "text COLLATE \"C\"", false),
            column("id", "bigint", false),
            column("title", "text COLLATE \"und-x-icu\"", true),
            column("amount", "numeric", true),
            column("ratio", "double precision", true),
            column("small", "integer", true),
            column("seen", "timestamptz", true),
            column("flag", "boolean", true),
            column("grade", "grade", true),
            column("note", "text", false),
        ];
        let search = SearchIndex::full_text(&columns, &[2, 9], "simple");
        Self::of(
            columns,
            (vec![0, 1], 1),
            Partitions::None,
            Vec::new(),
            search,
        )
    }

    /// A view of this table without its key; its rows may be the same.
    pub(crate) fn view(&self) -> Self {
        let values = self.values();
        let setup = format!(
            "CREATE VIEW {VIEW} AS SELECT {} FROM {NAME}",
            self.names(&values)
        );
        Self {
            name: VIEW,
            setup,
            columns: values.iter().map(|&at| self.columns[at].clone()).collect(),
            key: Vec::new(),
            unique: 0,
            indexes: Vec::new(),
            search: SearchIndex::None,
            leaves: Vec::new(),
        }
    }

    /// Takes in what the server says of the columns.
    pub(crate) fn learn(&mut self, columns: &[protocol::Column]) {
        for (column, told) in self.columns.iter_mut().zip(columns) {
            column.sortable = told.sortable;
            column.shape = told.kind;
        }
    }

    /// A random one.
    pub(crate) fn random(clock: &SetClock, rng: &mut ChaCha8Rng) -> Self {
        let names = [
            "a",
            "b1",
            "select",
            "Two words",
            "ü",
            "quo\"te",
            "$1",
            "long_name_of_a_column",
            "x.y",
            "t",
        ];
        let mut columns = Vec::new();
        let key_columns = *[1, 1, 1, 2, 2, 3].choose(rng).unwrap();
        let unique = rng.random_range(0..key_columns);
        for at in 0..key_columns {
            let fits = |kind: &&Kind| {
                let is_key = kind.has_order && !kind.is_nested && kind.repeated == 1;
                is_key && kind.sql != "int4multirange" && (at != unique || kind.nth.is_some())
            };
            let kinds: Vec<&'static Kind> = KINDS.iter().filter(fits).collect();
            columns.push(Column::new("", kinds.choose(rng).unwrap(), false, clock));
        }
        for _ in 0..rng.random_range(1..7) {
            // A long value is a rare one.
            let mut kind = KINDS.choose(rng).unwrap();
            if kind.repeated > 1 && rng.random_bool(0.7) {
                kind = KINDS.choose(rng).unwrap();
            }
            columns.push(Column::new("", kind, rng.random_bool(0.8), clock));
        }
        // The key's columns stand anywhere, in any order.
        let mut places: Vec<usize> = (0..columns.len()).collect();
        places.shuffle(rng);
        let mut key: Vec<usize> = (0..key_columns)
            .map(|at| places.iter().position(|&place| place == at).unwrap())
            .collect();
        let unique = key[unique];
        key.shuffle(rng);
        let mut columns: Vec<Column> = places.iter().map(|&at| columns[at].clone()).collect();
        let mut names = names.to_vec();
        names.shuffle(rng);
        for (column, name) in columns.iter_mut().zip(names) {
            name.clone_into(&mut column.name);
        }
        let cannot_hash = ["money", "bit(4)", "varbit", "tsvector"];
        let partitions = match rng.random_range(0..6) {
            _ if cannot_hash.contains(&columns[key[0]].kind.sql) => Partitions::None,
            0 => Partitions::Hash(key[0]),
            1 => Partitions::Nested(key[0]),
            _ => Partitions::None,
        };
        let indexes = random_indexes(&columns, rng);
        let search = SearchIndex::random(&columns, rng);
        Self::of(columns, (key, unique), partitions, indexes, search)
    }

    fn of(
        columns: Vec<Column>,
        (key, unique): (Vec<usize>, usize),
        partitions: Partitions,
        indexes: Vec<Vec<(usize, bool)>>,
        search: SearchIndex,
    ) -> Self {
        let mut table = Self {
            name: NAME,
            setup: String::new(),
            columns,
            key,
            unique,
            indexes,
            search,
            leaves: Vec::new(),
        };
        let mut parts: Vec<String> = Vec::new();
        for column in &table.columns {
            let null = if column.nullable { "" } else { " NOT NULL" };
            parts.push(format!("{} {}{null}", column.sql(), column.kind.sql));
        }
        parts.push(format!("PRIMARY KEY ({})", table.names(&table.key)));
        let (by, below, leaves) = partitions.sql(&table);
        table.leaves = leaves;
        let mut setup = format!(
            "{TYPES}\nCREATE TABLE {NAME} ({}){by};{below}",
            parts.join(", ")
        );
        for index in &table.indexes {
            let direction = |descends: bool| if descends { " DESC" } else { "" };
            let columns: Vec<String> = index
                .iter()
                .map(|&(at, descends)| {
                    format!("{}{}", table.columns[at].sql(), direction(descends))
                })
                .collect();
            setup.push_str(&format!("CREATE INDEX ON {NAME} ({});", columns.join(", ")));
        }
        setup.push_str(&table.search.setup(&table.columns));
        table.setup = setup;
        table
    }
}

fn random_indexes(columns: &[Column], rng: &mut ChaCha8Rng) -> Vec<Vec<(usize, bool)>> {
    let sortable: Vec<usize> = (0..columns.len())
        .filter(|&at| columns[at].kind.has_order && columns[at].kind.repeated == 1)
        .collect();
    let index = |rng: &mut ChaCha8Rng| {
        let mut list: Vec<usize> = sortable.clone();
        list.shuffle(rng);
        list.truncate(rng.random_range(1..4));
        let descends = rng.random_bool(0.4);
        let mixed = rng.random_bool(0.2);
        let column = |at| {
            (
                at,
                if mixed {
                    rng.random_bool(0.5)
                } else {
                    descends
                },
            )
        };
        list.into_iter().map(column).collect()
    };
    (0..rng.random_range(0..4)).map(|_| index(rng)).collect()
}

/// How a table is divided.
#[derive(Clone, Copy, Debug)]
enum Partitions {
    None,
    /// By this column, in three.
    Hash(usize),
    /// One of them in two again.
    Nested(usize),
}

impl Partitions {
    /// The clause, the partitions, and the names of those that hold rows.
    fn sql(self, table: &Table) -> (String, String, Vec<String>) {
        let (at, is_nested) = match self {
            Self::None => return (String::new(), String::new(), Vec::new()),
            Self::Hash(at) => (at, false),
            Self::Nested(at) => (at, true),
        };
        let by = format!(" PARTITION BY HASH ({})", table.columns[at].sql());
        let mut below = String::new();
        let mut leaves = Vec::new();
        for part in 0..3 {
            let divided = is_nested && part == 0;
            below.push_str(&format!(
                "CREATE TABLE part{part} PARTITION OF {NAME} \
                 FOR VALUES WITH (MODULUS 3, REMAINDER {part}){};",
                if divided { &by } else { "" }
            ));
            if !divided {
                leaves.push(format!("part{part}"));
            }
        }
        for part in 0..if is_nested { 2 } else { 0 } {
            below.push_str(&format!(
                "CREATE TABLE part0_{part} PARTITION OF part0 \
                 FOR VALUES WITH (MODULUS 6, REMAINDER {});",
                part * 3
            ));
            leaves.push(format!("part0_{part}"));
        }
        (by, below, leaves)
    }
}
