//! A file that is being saved.

/// Names a file that is being saved until it is dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DownloadId(pub u64);

/// A file that is being saved, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// To dismiss it by.
    pub id: DownloadId,
    /// The file's name, without a folder.
    pub name: String,
    /// How far it is.
    pub state: DownloadState,
}

/// How far a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadState {
    /// It is being saved.
    Running {
        /// Bytes so far.
        bytes: u64,
    },
    /// It is there.
    Saved {
        /// Where.
        file: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// It is not, and nothing of it is left.
    Failed {
        /// Why, for people.
        reason: String,
    },
}
