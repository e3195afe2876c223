//! One group's accounts.

use std::sync::Arc;

use protocol::Value;

use super::exact::ExactSum;
use super::extreme::{Extreme, Move};
use super::index::SummaryError;
use super::shape::{Account, BuiltAccount, Numbers, Output, Scale, Shape, TermOf};
use crate::blocks::Drift;
use crate::decimal::Decimal;
use crate::order::{KeyError, KeyPart, OrderClass};
use crate::ranks::Ranks;
use crate::row::TableRow;

/// One group of a summary.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: Arc<[KeyPart]>,
    /// The keys as one of its rows has, or had, them.
    pub(crate) shown: Arc<[Value]>,
    pub(crate) rows: i64,
    pub(crate) kept: Vec<Kept>,
    /// The outputs, as of the last batch.
    pub(crate) cells: Arc<[Value]>,
    /// What the order's terms compare, as of the last batch.
    pub(crate) terms: Vec<KeyPart>,
    /// Changed by the batch being applied.
    pub(crate) is_touched: bool,
}

/// What is kept of a group for one [`Account`].
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Values(i64),
    Sum(Sum),
    Extreme(Extreme),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    values: i64,
    finite: ExactSum,
    /// How many values are `NaN`, `Infinity` and `-Infinity`.
    special: [i64; 3],
}

impl Kept {
    fn empty(account: &Account) -> Self {
        match account {
            Account::Values { .. } => Self::Values(0),
            Account::Sum { .. } => Self::Sum(Sum::default()),
            Account::Extreme { descending, .. } => {
                Self::Extreme(Extreme::new(*descending, 0, Vec::new()))
            }
            Account::Scale { .. } => Self::Extreme(Extreme::new(true, 0, Vec::new())),
        }
    }

    fn built(account: &Account, built: BuiltAccount, ranks: &Ranks) -> Result<Self, SummaryError> {
        Ok(match (account, built) {
            (Account::Values { .. }, BuiltAccount::Values(values)) => Self::Values(values),
            (
                Account::Sum { .. },
                BuiltAccount::Sum {
                    values,
                    finite,
                    special,
                },
            ) => {
                let mut sum = ExactSum::default();
                sum.add(&finite, 1).ok_or(SummaryError::Misfit)?;
                Self::Sum(Sum {
                    values,
                    finite: sum,
                    special,
                })
            }
            (account, BuiltAccount::Extreme { values, best }) => {
                Self::Extreme(extreme(account, values, best, ranks)?)
            }
            _ => return Err(SummaryError::Misfit),
        })
    }
}

/// An extreme as a query returned it.
pub(crate) fn extreme(
    account: &Account,
    values: i64,
    best: Vec<(Value, i64)>,
    ranks: &Ranks,
) -> Result<Extreme, SummaryError> {
    let (column, class, descending) = match account {
        Account::Extreme {
            column,
            class,
            descending,
        } => (*column, *class, *descending),
        Account::Scale { column } => (*column, OrderClass::Int, true),
        _ => return Err(SummaryError::Misfit),
    };
    let known = |(value, times): (Value, i64)| {
        Ok((KeyPart::new(column, class, &value, ranks)?, value, times))
    };
    let best: Result<Vec<_>, KeyError> = best.into_iter().map(known).collect();
    Ok(Extreme::new(descending, values, best?))
}

/// What a row adds to an extreme; `None` if nothing.
pub(crate) fn extreme_move(
    account: &Account,
    row: &TableRow,
    by: i64,
    ranks: &Ranks,
) -> Result<Option<Move>, KeyError> {
    let (column, class) = match account {
        Account::Extreme { column, class, .. } => (*column, *class),
        Account::Scale { column } => {
            let value = row.cell(*column).ok_or(KeyError::Omitted(*column))?;
            return Ok(digits_behind_point(value).map(|scale| Move {
                part: KeyPart::Int(scale),
                value: Value::Int(scale),
                by,
            }));
        }
        _ => return Ok(None),
    };
    let value = row.cell(column).ok_or(KeyError::Omitted(column))?;
    let part = KeyPart::new(column, class, value, ranks)?;
    let is_null = matches!(part, KeyPart::Null);
    Ok((!is_null).then(|| Move {
        part,
        value: value.clone(),
        by,
    }))
}

/// `scale(value)`: `None` for null, `NaN` and the infinities.
fn digits_behind_point(value: &Value) -> Option<i64> {
    let Value::Text(text) = value else {
        return None;
    };
    if !text.ends_with(|last: char| last.is_ascii_digit()) {
        return None;
    }
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    i64::try_from(fraction.len()).ok()
}

impl Sum {
    fn add(&mut self, column: usize, value: &Value, by: i64) -> Result<(), KeyError> {
        let unreadable = || KeyError::Unreadable(column, value.clone());
        let text = match value {
            Value::Null => return Ok(()),
            Value::Int(int) => int.to_string(),
            // Without an exponent the largest would have 309 digits.
            Value::Float(float) if float.is_finite() => format!("{float:e}"),
            value => value.to_postgres_text().unwrap_or_default(),
        };
        self.values += by;
        let special = ["NaN", "Infinity", "-Infinity"];
        match special.iter().position(|special| *special == text) {
            Some(at) => self.special[at] += by,
            None => self.finite.add(&text, by).ok_or_else(unreadable)?,
        }
        Ok(())
    }

    /// The sum if it is not finite, as IEEE 754 and PostgreSQL's `numeric` have it.
    fn special(&self) -> Option<&'static str> {
        match self.special {
            [0, 0, 0] => None,
            [0, _, 0] => Some("Infinity"),
            [0, 0, _] => Some("-Infinity"),
            _ => Some("NaN"),
        }
    }
}

impl Group {
    /// A group without rows.
    pub(crate) fn empty(shape: &Shape, key: Arc<[KeyPart]>, shown: Arc<[Value]>) -> Self {
        Self {
            key,
            shown,
            rows: 0,
            kept: shape.accounts.iter().map(Kept::empty).collect(),
            cells: Arc::default(),
            terms: Vec::new(),
            is_touched: false,
        }
    }

    /// A group as a query returned it.
    pub(crate) fn built(
        shape: &Shape,
        built: super::BuiltGroup,
        ranks: &Ranks,
    ) -> Result<Self, SummaryError> {
        let key = shape.built_key(&built.key, ranks)?;
        if built.accounts.len() != shape.accounts.len() || key.len() != shape.keys.len() {
            return Err(SummaryError::Misfit);
        }
        let kept = shape.accounts.iter().zip(built.accounts);
        let kept = kept.map(|(account, built)| Kept::built(account, built, ranks));
        Ok(Self {
            kept: kept.collect::<Result<_, _>>()?,
            rows: built.rows,
            ..Self::empty(shape, key.into(), built.key.into())
        })
    }

    /// Adds a row, or takes one away, in all accounts but the extremes.
    pub(crate) fn add(&mut self, shape: &Shape, row: &TableRow, by: i64) -> Result<(), KeyError> {
        self.rows += by;
        for (account, kept) in shape.accounts.iter().zip(&mut self.kept) {
            match (account, kept) {
                (Account::Values { column }, Kept::Values(values)) => {
                    // A value that the log left out for its size is none that is null.
                    let is_null = row.cell(*column).is_some_and(Value::is_null);
                    *values += if is_null { 0 } else { by };
                }
                (Account::Sum { column, .. }, Kept::Sum(sum)) => {
                    let value = row.cell(*column).ok_or(KeyError::Omitted(*column))?;
                    sum.add(*column, value, by)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Computes the cells and what the order compares; `true` if the group may have to change its place.
    pub(crate) fn finish(&mut self, shape: &Shape) -> Result<bool, SummaryError> {
        let mut cells = Vec::with_capacity(shape.outputs.len());
        for output in &shape.outputs {
            cells.push(self.cell(shape, *output)?);
        }
        let terms = shape.order.iter().map(|term| match term.of {
            TermOf::Key(at) => self.key.get(at).cloned().unwrap_or(KeyPart::Null),
            TermOf::Output(at) => self.compared(shape, at, &cells),
        });
        let terms: Vec<KeyPart> = terms.collect();
        let same = self.terms.len() == terms.len()
            && self
                .terms
                .iter()
                .zip(&terms)
                .all(|(a, b)| a.compare(b).is_eq());
        self.cells = cells.into();
        self.terms = terms;
        Ok(!same)
    }

    fn cell(&mut self, shape: &Shape, output: Output) -> Result<Value, SummaryError> {
        let at = match output {
            Output::Rows => return Ok(Value::Int(self.rows)),
            Output::Of(at) | Output::Average(at) => at,
        };
        let scale = match shape.accounts.get(at) {
            Some(Account::Sum { numbers, .. }) => self.scale(*numbers),
            _ => 0,
        };
        match (shape.accounts.get(at), self.kept.get_mut(at)) {
            (Some(Account::Values { .. }), Some(Kept::Values(values))) => Ok(Value::Int(*values)),
            (Some(Account::Sum { numbers, .. }), Some(Kept::Sum(sum))) => match output {
                Output::Average(_) => sum.average(*numbers, scale),
                _ => sum.total(*numbers, scale),
            },
            (Some(_), Some(Kept::Extreme(extreme))) => Ok(extreme
                .get()
                .map_or(Value::Null, |(_, value)| value.clone())),
            _ => Err(SummaryError::Misfit),
        }
    }

    fn scale(&self, numbers: Numbers) -> u32 {
        match numbers {
            Numbers::Numeric(Scale::Fixed(scale)) => scale,
            Numbers::Numeric(Scale::Tracked(at)) => match self.kept.get(at) {
                Some(Kept::Extreme(extreme)) => match extreme.get() {
                    Some((_, Value::Int(scale))) => u32::try_from(*scale).unwrap_or(0),
                    _ => 0,
                },
                _ => 0,
            },
            Numbers::Int | Numbers::BigInt | Numbers::Float => 0,
        }
    }

    /// What an order compares of an output.
    fn compared(&self, shape: &Shape, output: usize, cells: &[Value]) -> KeyPart {
        let at = match shape.outputs.get(output) {
            Some(Output::Of(at) | Output::Average(at)) => *at,
            Some(Output::Rows) | None => return KeyPart::Int(self.rows),
        };
        match (self.kept.get(at), cells.get(output)) {
            (Some(Kept::Values(values)), _) => KeyPart::Int(*values),
            (Some(Kept::Extreme(extreme)), _) => extreme
                .get()
                .map_or(KeyPart::Null, |(part, _)| part.clone()),
            (_, Some(Value::Float(float))) => KeyPart::Float(*float),
            (_, Some(number)) => number
                .to_postgres_text()
                .and_then(|text| Decimal::parse(&text))
                .map_or(KeyPart::Null, KeyPart::Decimal),
            (_, None) => KeyPart::Null,
        }
    }

    /// # Errors
    /// [`Drift`] if more went than was there.
    pub(crate) fn check(&self) -> Result<(), Drift> {
        let is_sound = |kept: &Kept| match kept {
            Kept::Values(values) => (0..=self.rows).contains(values),
            Kept::Sum(sum) => {
                (0..=self.rows).contains(&sum.values) && sum.special.iter().all(|&n| n >= 0)
            }
            Kept::Extreme(_) => true,
        };
        if self.rows >= 0 && self.kept.iter().all(is_sound) {
            Ok(())
        } else {
            Err(Drift)
        }
    }
}

impl Sum {
    fn total(&mut self, numbers: Numbers, scale: u32) -> Result<Value, SummaryError> {
        if self.values == 0 {
            return Ok(Value::Null);
        }
        let special = self.special();
        Ok(match numbers {
            Numbers::Int => {
                let text = self.finite.to_text(0);
                text.parse().map_or_else(|_| Value::Text(text), Value::Int)
            }
            Numbers::BigInt => Value::Text(self.finite.to_text(0)),
            Numbers::Numeric(_) => {
                Value::Text(special.map_or_else(|| self.finite.to_text(scale), str::to_owned))
            }
            Numbers::Float => Value::Float(self.float()),
        })
    }

    fn float(&mut self) -> f64 {
        self.special()
            .and_then(|special| special.parse().ok())
            .unwrap_or_else(|| self.finite.to_f64())
    }

    fn average(&mut self, numbers: Numbers, scale: u32) -> Result<Value, SummaryError> {
        if self.values == 0 {
            return Ok(Value::Null);
        }
        let count = u64::try_from(self.values).map_err(|_| Drift)?;
        if let (Numbers::Float, values) = (numbers, self.values) {
            #[expect(clippy::cast_precision_loss, reason = "a count, far below 2^53")]
            return Ok(Value::Float(self.float() / values as f64));
        }
        let special = self.special().map(str::to_owned);
        Ok(Value::Text(
            special.unwrap_or_else(|| self.finite.average(count, scale)),
        ))
    }
}
