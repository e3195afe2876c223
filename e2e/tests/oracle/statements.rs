//! Random statements that change a table.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::table::{NAME, Table, quoted};

/// Where a statement finds its rows.
pub(crate) struct Target<'a> {
    pub(crate) table: &'a Table,
    /// About as many rows as the table has.
    pub(crate) rows: u64,
    /// A row that somebody looks at, as a condition.
    pub(crate) shown: Option<String>,
}

impl Target<'_> {
    /// One statement, or several that belong together.
    pub(crate) fn statement(&self, rng: &mut ChaCha8Rng) -> String {
        match rng.random_range(0..24) {
            0..=2 => self.insert(1, rng),
            3 => self.insert(8, rng),
            4 | 5 => self.upsert(rng),
            6..=8 => format!("DELETE FROM {NAME} WHERE {}", self.one(rng)),
            9 => format!("DELETE FROM {NAME} WHERE {}", self.some(rng)),
            10 => self.move_key(rng),
            11 => self.respell_key(rng),
            12 => self.replace(rng),
            13 => self.twice(rng),
            14 => self.direct(rng),
            15 => self.merge(rng),
            16 => self.shift(rng),
            17..=19 => format!(
                "UPDATE {NAME} SET {} WHERE {}",
                self.set(rng),
                self.some(rng)
            ),
            _ => format!(
                "UPDATE {NAME} SET {} WHERE {}",
                self.set(rng),
                self.one(rng)
            ),
        }
    }

    /// A number whose row may be there.
    pub(crate) fn fresh(&self, rng: &mut ChaCha8Rng) -> u64 {
        rng.random_range(1..=self.rows * 2)
    }

    /// Which row: often one that somebody looks at.
    fn one(&self, rng: &mut ChaCha8Rng) -> String {
        if let Some(shown) = &self.shown
            && rng.random_bool(0.6)
        {
            return shown.clone();
        }
        let row = self.table.row(rng.random_range(1..=self.rows), rng);
        let columns = [self.table.unique];
        self.equal(&columns, &row)
    }

    /// A few neighbours in some order.
    fn some(&self, rng: &mut ChaCha8Rng) -> String {
        let key = self.table.names(&self.table.key);
        let unique = &self.table.columns[self.table.unique];
        let (by, sign) = (unique.sql(), unique.kind.operator(">="));
        let one = self.table.row(rng.random_range(1..=self.rows), rng);
        let from = self.literal(self.table.unique, &one);
        format!(
            "({key}) IN (SELECT {key} FROM {NAME} WHERE {by} {sign} {from} ORDER BY {by} LIMIT {})",
            rng.random_range(1..6)
        )
    }

    fn literal(&self, at: usize, row: &[Option<String>]) -> String {
        match &row[at] {
            Some(text) => self.table.columns[at].constant(text),
            None => "NULL".to_owned(),
        }
    }

    fn equal(&self, columns: &[usize], row: &[Option<String>]) -> String {
        let test = |&at: &usize| {
            let name = self.table.columns[at].sql();
            format!("{name} = {}", self.literal(at, row))
        };
        columns.iter().map(test).collect::<Vec<_>>().join(" AND ")
    }

    /// `column = value, …` for one to three columns that are not part of the key.
    fn set(&self, rng: &mut ChaCha8Rng) -> String {
        let mut columns = self.table.values();
        columns.shuffle(rng);
        columns.truncate(rng.random_range(1..4));
        let set = |at: usize, rng: &mut ChaCha8Rng| {
            let column = &self.table.columns[at];
            let value = column
                .value(rng)
                .map_or("NULL".to_owned(), |text| quoted(&text));
            format!("{} = {value}", column.sql())
        };
        let list: Vec<String> = columns.into_iter().map(|at| set(at, rng)).collect();
        list.join(", ")
    }

    fn tuple(&self, rng: &mut ChaCha8Rng) -> String {
        let row = self.table.row(self.fresh(rng), rng);
        let values: Vec<String> = row
            .iter()
            .map(|value| {
                value
                    .as_ref()
                    .map_or("NULL".to_owned(), |text| quoted(text))
            })
            .collect();
        format!("({})", values.join(", "))
    }

    fn insert(&self, rows: usize, rng: &mut ChaCha8Rng) -> String {
        let rows: Vec<String> = (0..rows).map(|_| self.tuple(rng)).collect();
        let conflict = if rng.random_bool(0.7) {
            " ON CONFLICT DO NOTHING"
        } else {
            ""
        };
        format!("INSERT INTO {NAME} VALUES {}{conflict}", rows.join(", "))
    }

    fn upsert(&self, rng: &mut ChaCha8Rng) -> String {
        let rows: Vec<String> = (0..rng.random_range(1..5))
            .map(|_| self.tuple(rng))
            .collect();
        let set: Vec<String> = self
            .table
            .values()
            .into_iter()
            .map(|at| self.table.columns[at].sql())
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        format!(
            "INSERT INTO {NAME} VALUES {} ON CONFLICT ({}) DO UPDATE SET {}",
            rows.join(", "),
            self.table.names(&self.table.key),
            set.join(", ")
        )
    }

    /// The row gets another key; a partitioned table may move it.
    fn move_key(&self, rng: &mut ChaCha8Rng) -> String {
        let row = self.table.row(self.fresh(rng), rng);
        let set: Vec<String> = self
            .table
            .key
            .iter()
            .map(|&at| {
                format!(
                    "{} = {}",
                    self.table.columns[at].sql(),
                    self.literal(at, &row)
                )
            })
            .collect();
        format!(
            "UPDATE {NAME} SET {} WHERE {}",
            set.join(", "),
            self.one(rng)
        )
    }

    /// The key gets another text that PostgreSQL calls equal: `1.0` and `1.00`, `k` and `K`.
    fn respell_key(&self, rng: &mut ChaCha8Rng) -> String {
        let column = &self.table.columns[self.table.unique];
        let row = self.table.row(rng.random_range(1..=self.rows), rng);
        let (Some(respell), Some(text)) = (column.kind.respell, &row[self.table.unique]) else {
            return format!(
                "UPDATE {NAME} SET {} WHERE {}",
                self.set(rng),
                self.one(rng)
            );
        };
        let other = column.constant(&respell(text));
        format!(
            "UPDATE {NAME} SET {} = {other} WHERE {}",
            column.sql(),
            self.equal(&[self.table.unique], &row)
        )
    }

    /// A row goes and comes back in one transaction.
    fn replace(&self, rng: &mut ChaCha8Rng) -> String {
        let row = self.table.row(self.fresh(rng), rng);
        let values: Vec<String> = (0..row.len()).map(|at| self.literal(at, &row)).collect();
        format!(
            "DELETE FROM {NAME} WHERE {}; INSERT INTO {NAME} VALUES ({})",
            self.equal(&self.table.key, &row),
            values.join(", ")
        )
    }

    /// A row changes twice in one transaction, so it has two images of each kind.
    fn twice(&self, rng: &mut ChaCha8Rng) -> String {
        let one = self.one(rng);
        format!(
            "UPDATE {NAME} SET {} WHERE {one}; UPDATE {NAME} SET {} WHERE {one}",
            self.set(rng),
            self.set(rng)
        )
    }

    /// Written to a partition, whose own triggers tell of it.
    fn direct(&self, rng: &mut ChaCha8Rng) -> String {
        let Some(leaf) = self.table.leaves.choose(rng) else {
            return self.insert(2, rng);
        };
        if rng.random_bool(0.5) {
            // Refused if it belongs elsewhere.
            return format!("INSERT INTO {leaf} VALUES {}", self.tuple(rng));
        }
        format!(
            "UPDATE {leaf} SET {} WHERE {}",
            self.set(rng),
            self.one(rng)
        )
    }

    fn merge(&self, rng: &mut ChaCha8Rng) -> String {
        let row = self.table.row(self.fresh(rng), rng);
        let values: Vec<String> = (0..row.len()).map(|at| self.literal(at, &row)).collect();
        let same: Vec<String> = self
            .table
            .key
            .iter()
            .map(|&at| {
                let name = self.table.columns[at].sql();
                format!("old.{name} = {}", self.literal(at, &row))
            })
            .collect();
        let matched = if rng.random_bool(0.5) {
            "DELETE".to_owned()
        } else {
            format!("UPDATE SET {}", self.set(rng))
        };
        format!(
            "MERGE INTO {NAME} AS old USING (SELECT 1) AS new ON {} WHEN MATCHED THEN {matched} \
             WHEN NOT MATCHED THEN INSERT VALUES ({})",
            same.join(" AND "),
            values.join(", ")
        )
    }

    /// Rows come back under other keys in the statement that deletes them.
    fn shift(&self, rng: &mut ChaCha8Rng) -> String {
        let row = self.table.row(self.fresh(rng), rng);
        let column = |at: usize| {
            if self.table.key.contains(&at) {
                self.literal(at, &row)
            } else {
                self.table.columns[at].sql()
            }
        };
        let columns: Vec<String> = (0..self.table.columns.len()).map(column).collect();
        format!(
            "WITH gone AS (DELETE FROM {NAME} WHERE {} RETURNING *) \
             INSERT INTO {NAME} SELECT {} FROM gone LIMIT 1",
            self.one(rng),
            columns.join(", ")
        )
    }
}

/// Rows as `COPY` reads them.
pub(crate) fn copy_text(rows: &[Vec<Option<String>>]) -> String {
    let mut text = String::new();
    for row in rows {
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                text.push('\t');
            }
            match value {
                None => text.push_str("\\N"),
                Some(value) => text.push_str(
                    &value
                        .replace('\\', "\\\\")
                        .replace('\t', "\\t")
                        .replace('\n', "\\n"),
                ),
            }
        }
        text.push('\n');
    }
    text
}
