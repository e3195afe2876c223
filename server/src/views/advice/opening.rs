//! What opening a view took.

use std::time::Duration;

use protocol::MeasuredOpening;
use tokio::time::Instant;

use crate::db::advice::Serving;

/// What opening a view took: from its first question to its exact total, and until any of its rows could be shown.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    began: Instant,
    /// What its exact total took.
    counted: Option<Duration>,
    division: Division,
    is_told: bool,
}

/// How a view was divided, and what that took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Division {
    /// It was not: there are few rows, or no way to divide them.
    None,
    /// From block to block along an index.
    Walked(Duration),
    /// Its keys were sorted, and are remembered.
    Listed(Duration),
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            counted: None,
            division: Division::None,
            is_told: false,
        }
    }
}

impl Opening {
    /// Its total is exact.
    pub fn counted(&mut self) {
        let began = self.began;
        self.counted.get_or_insert_with(|| began.elapsed());
    }

    /// The view was divided into blocks, which remember their keys or not.
    pub fn divided(&mut self, remembers_keys: bool) {
        let took = self.began.elapsed();
        self.division = if remembers_keys {
            Division::Listed(took)
        } else {
            Division::Walked(took)
        };
    }

    /// What it took, the first time that this is asked after it was counted; the view has so many rows.
    pub fn finish(&mut self, rows: u64) -> Option<Opened> {
        let took = self.counted.filter(|_| !self.is_told)?;
        self.is_told = true;
        Some(Opened {
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            rows,
            division: self.division,
        })
    }
}

/// What opening a view took.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Milliseconds until the exact total.
    millis: u64,
    rows: u64,
    division: Division,
}

impl Opened {
    /// For clients.
    pub fn told(&self, serving: &Serving) -> MeasuredOpening {
        let walk = serving.walk.as_ref();
        let index = walk.and_then(|walk| walk.indexes.first());
        let how = match (self.division, index) {
            (Division::None, _) => "counted by one statement".to_owned(),
            (Division::Walked(_), Some(index)) => format!("counted, and divided along {index}"),
            (Division::Walked(_), None) => "counted, and divided along an index".to_owned(),
            (Division::Listed(_), _) => "its keys were sorted, and are remembered".to_owned(),
        };
        MeasuredOpening {
            millis: self.millis,
            rows: self.rows,
            how,
        }
    }

    /// What the planner had said that dividing it would cost, and how long that took; `None` where nothing was said
    /// of it.
    pub fn cost(&self, serving: &Serving) -> Option<(f64, Duration)> {
        match self.division {
            Division::None => None,
            Division::Walked(took) => Some((serving.walk.as_ref()?.cost, took)),
            Division::Listed(took) => Some((serving.cost, took)),
        }
    }
}
