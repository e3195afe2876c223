//! Why the SQL could not be installed, and what the user can do about it.

use std::time::Duration;

/// Why an installation failed. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is older than the SQL needs.
    #[error(
        "PostgreSQL {found} is too old: Rowcast needs {} or newer",
        crate::install::OLDEST_POSTGRES
    )]
    TooOld {
        /// The server's version, as it names it.
        found: String,
    },

    /// The server is a standby.
    #[error(
        "the PostgreSQL server is a read-only standby: connect to the primary (its change log is \
         not replicated)"
    )]
    Standby,

    /// The role may not create the schema.
    #[error(
        "role {role} may not create the schema rowcast in database {database}; run as the \
         database's owner: GRANT CREATE ON DATABASE {database} TO {role}"
    )]
    CannotCreate {
        /// The connection's role, quoted where SQL needs it.
        role: String,
        /// The connection's database, quoted where SQL needs it.
        database: String,
    },

    /// The role may not do one of the steps.
    #[error(
        "role {role} may not install or read the schema rowcast: {message}; connect as the \
         schema's owner, or let the owner grant the role what is missing"
    )]
    Forbidden {
        /// The connection's role, quoted where SQL needs it.
        role: String,
        /// PostgreSQL's own message.
        message: String,
    },

    /// Another session kept a lock for as long as we were ready to wait.
    #[error(
        "a table stayed locked for {} s by a long transaction: end it (see pg_stat_activity) and \
         try again",
        waited.as_secs()
    )]
    Locked {
        /// For how long it was tried.
        waited: Duration,
    },

    /// The database was set up by other versions of the SQL files than the ones in this program.
    #[error(
        "the schema rowcast was installed by another version of Rowcast: {0}; update this program, \
         or remove the schema (DROP SCHEMA rowcast CASCADE) to have it installed anew"
    )]
    OtherVersion(sqlx::migrate::MigrateError),

    /// A table cannot be watched.
    #[error("{message}{}", hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
    NotWatchable {
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },

    /// The connection or a statement failed.
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
}

/// The SQLSTATEs that are told apart.
pub(crate) mod sqlstate {
    pub(crate) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(crate) const DEADLOCK_DETECTED: &str = "40P01";

    /// What `rowcast.watch` raises, and what reading a table's name does: no such table, no such
    /// schema, not a name, not a table, not supported, no primary key, not the owner.
    pub(crate) const NOT_WATCHABLE: [&str; 7] = [
        "42P01",
        "3F000",
        "42602",
        "42809",
        "0A000",
        "55000",
        INSUFFICIENT_PRIVILEGE,
    ];
}
