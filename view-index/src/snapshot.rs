//! Snapshots: Rowcast's only clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A transaction's number (`xid8`): 64 bits, never reused while the change log's epoch lasts.
pub type Xid = u64;

/// What a PostgreSQL statement saw: every transaction that had committed by then. (`pg_snapshot`)
///
/// Snapshots of one server are taken under one lock, so of any two one covers the other: they are
/// totally ordered in time although their text is not a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// Every transaction below it had ended.
    xmin: Xid,
    /// No transaction from it on had ended.
    xmax: Xid,
    /// Those between the two that were still running, ascending.
    running: Box<[Xid]>,
}

impl Snapshot {
    /// The snapshot `xmin:xmax:running`.
    pub fn new(xmin: Xid, xmax: Xid, running: impl IntoIterator<Item = Xid>) -> Self {
        let mut running: Vec<Xid> = running.into_iter().collect();
        running.sort_unstable();
        running.dedup();
        Self {
            xmin,
            xmax,
            running: running.into(),
        }
    }

    /// The transactions from this one on had not ended.
    pub fn xmax(&self) -> Xid {
        self.xmax
    }

    /// The transactions below [`Self::xmax`] that were still running, ascending.
    pub fn running(&self) -> &[Xid] {
        &self.running
    }

    /// Whether a transaction had ended. (For one that committed: whether its changes are seen.)
    pub fn sees(&self, xid: Xid) -> bool {
        xid < self.xmax && (xid < self.xmin || self.running.binary_search(&xid).is_err())
    }

    /// Whether this one sees all that `earlier` sees.
    pub fn covers(&self, earlier: &Self) -> bool {
        earlier.xmax <= self.xmax
            && self
                .running
                .iter()
                .take_while(|&&xid| xid < earlier.xmax)
                .all(|&xid| !earlier.sees(xid))
    }
}

/// As PostgreSQL writes it: `xmin:xmax:xid,xid`.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.running.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{xid}")?;
        }
        Ok(())
    }
}

/// The text is not a `pg_snapshot`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot: {0:?}")]
pub struct SnapshotError(String);

impl FromStr for Snapshot {
    type Err = SnapshotError;

    fn from_str(text: &str) -> Result<Self, SnapshotError> {
        let parse = || {
            let mut parts = text.split(':');
            let xmin = parts.next()?.parse().ok()?;
            let xmax = parts.next()?.parse().ok()?;
            let running = parts.next()?;
            let running: Vec<Xid> = if running.is_empty() {
                Vec::new()
            } else {
                running
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .ok()?
            };
            let in_order = running.windows(2).all(|pair| pair[0] < pair[1])
                && running.iter().all(|&xid| xmin <= xid && xid < xmax);
            (xmin <= xmax && in_order && parts.next().is_none()).then(|| Self {
                xmin,
                xmax,
                running: running.into(),
            })
        };
        parse().ok_or_else(|| SnapshotError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_postgres_writes() {
        for text in [
            "3:3:",
            "10:20:10,14,15",
            "18446744073709551000:18446744073709551001:",
        ] {
            assert_eq!(text.parse::<Snapshot>().unwrap().to_string(), text);
        }
        for text in [
            "", "1:2", "2:1:", "1:9:9", "1:9:5,4", "1:9:0", "a:b:", "1:2::3",
        ] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }

    #[test]
    fn sees_what_had_ended() {
        let snapshot = Snapshot::new(10, 20, [10, 14]);
        let seen: Vec<Xid> = (8..22).filter(|&xid| snapshot.sees(xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn a_running_transaction_keeps_a_snapshot_from_covering() {
        let earlier = Snapshot::new(10, 20, [10, 14]);
        assert!(earlier.covers(&earlier));
        assert!(
            Snapshot::new(14, 20, [14]).covers(&earlier),
            "10 has ended since"
        );
        assert!(
            Snapshot::new(10, 25, [10, 14, 22]).covers(&earlier),
            "22 is younger"
        );
        assert!(
            !Snapshot::new(10, 25, [10, 12]).covers(&earlier),
            "earlier saw 12"
        );
        assert!(
            !Snapshot::new(10, 19, [10, 14]).covers(&earlier),
            "earlier saw 19"
        );
    }
}
