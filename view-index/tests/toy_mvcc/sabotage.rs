//! Mistakes made on purpose, to prove that the checks would notice them.

/// One mistake of the server (or client) that the driver plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A batch lacks one side of a change.
    DropSide,
    /// A batch is read as if nothing had been running in the previous snapshot (`seq > last`).
    SkipRunning,
    /// Equal sort values are ordered by the primary key in the wrong direction.
    BreakTie,
    /// A batch is applied a second time.
    ApplyTwice,
    /// A new transaction gets the number of an ended one.
    ReuseXid,
    /// A fetch is taken for older than it is: what it contains already is counted again.
    ForgetFetchSnapshot,
    /// A batch's rows are read after its snapshot was taken.
    LateRows,
    /// The client loses an update.
    LoseUpdate,
    /// A resumed client is believed to hold every row as it is now.
    ForgetTouched,
}

impl Sabotage {
    pub(crate) const ALL: [Self; 9] = [
        Self::DropSide,
        Self::SkipRunning,
        Self::BreakTie,
        Self::ApplyTwice,
        Self::ReuseXid,
        Self::ForgetFetchSnapshot,
        Self::LateRows,
        Self::LoseUpdate,
        Self::ForgetTouched,
    ];
}
