//! What opening a view took.

use protocol::MeasuredOpening;
use tokio::time::Instant;

use crate::db::advice::Serving;

/// What opening a view took: from its first question to its exact total.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    began: Instant,
    /// How it was counted.
    how: How,
    is_told: bool,
}

/// How a view was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// With its first rows, since there are few.
    AtOnce,
    /// From block to block along an index.
    Walked,
    /// Its keys were sorted, and are remembered.
    Listed,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            how: How::AtOnce,
            is_told: false,
        }
    }
}

impl Opening {
    /// The view was divided into blocks, which remember their keys or not.
    pub fn divided(&mut self, remembers_keys: bool) {
        self.how = if remembers_keys {
            How::Listed
        } else {
            How::Walked
        };
    }

    /// What it took, the first time that this is asked; the view has so many rows.
    pub fn finish(&mut self, rows: u64) -> Option<Opened> {
        if std::mem::replace(&mut self.is_told, true) {
            return None;
        }
        Some(Opened {
            millis: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            rows,
            how: self.how,
        })
    }
}

/// What opening a view took.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Milliseconds.
    pub millis: u64,
    rows: u64,
    how: How,
}

impl Opened {
    /// For clients.
    pub fn told(&self, serving: &Serving) -> MeasuredOpening {
        let walk = serving.walk.as_ref();
        let index = walk.and_then(|walk| walk.indexes.first());
        let how = match (self.how, index) {
            (How::AtOnce, _) => "counted with its first rows".to_owned(),
            (How::Walked, Some(index)) => format!("counted along {index}"),
            (How::Walked, None) => "counted along an index".to_owned(),
            (How::Listed, _) => "its keys were sorted, and are remembered".to_owned(),
        };
        MeasuredOpening {
            millis: self.millis,
            rows: self.rows,
            how,
        }
    }

    /// What the planner had said that it would cost; `None` where it says nothing of the time.
    pub fn cost(&self, serving: &Serving) -> Option<f64> {
        match self.how {
            How::AtOnce => None,
            How::Walked => serving.walk.as_ref().map(|walk| walk.cost),
            How::Listed => Some(serving.cost),
        }
    }
}
