//! Connections to PostgreSQL: the pool for queries, and how to connect for the change log.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};

use super::timeouts::Timeouts;
use crate::limits::{
    CONNECT_TIMEOUT, DATABASE_START_PATIENCE, DIRECT_CONNECTIONS, IDLE_IN_TRANSACTION_TIMEOUT,
    KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES, LOCK_TIMEOUT, POLL_CONNECTIONS,
    POLL_TIMEOUT, POOL_ACQUIRE_TIMEOUT, RECONNECT_BACKOFF, SLOW_STATEMENT, TCP_USER_TIMEOUT,
};

/// How every connection calls itself in `pg_stat_activity`.
const APPLICATION_NAME: &str = "rowcast";

/// The settings under which the same value always has the same text.
const FIXED_SETTINGS: &[(&str, &str)] = &[
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("datestyle", "'ISO, MDY'"),
    ("intervalstyle", "iso_8601"),
    ("timezone", "'UTC'"),
    ("lc_monetary", "'C'"),
];

/// Why a database cannot be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The address cannot be read.
    #[error(
        "DATABASE_URL is not an address of PostgreSQL: {0}. It looks like \
         postgres://user:password@host:5432/database"
    )]
    BadUrl(String),
    /// TLS was insisted on.
    #[error(
        "DATABASE_URL asks for an encrypted connection (sslmode), which Rowcast does not support \
         for the change log yet. Use sslmode=prefer on a trusted network, or an encrypted tunnel"
    )]
    NeedsTls,
    /// Nothing answers.
    #[error(
        "PostgreSQL at {address} cannot be reached: {source}. Check that it runs and that \
         DATABASE_URL names the right host and port"
    )]
    Unreachable {
        /// Host and port, or the socket's folder.
        address: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// Wrong user or password.
    #[error(
        "PostgreSQL at {address} refused the login: {message}. Check the user and the password in \
         DATABASE_URL"
    )]
    Login {
        /// Host and port, or the socket's folder.
        address: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// The database does not exist.
    #[error(
        "PostgreSQL at {address}: {message}. Create it (createdb NAME), or name another one in \
         DATABASE_URL"
    )]
    NoDatabase {
        /// Host and port, or the socket's folder.
        address: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// All of its connections are taken.
    #[error(
        "PostgreSQL at {address} takes no more connections: {message}. Close some, or raise \
         max_connections"
    )]
    Full {
        /// Host and port, or the socket's folder.
        address: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// The pool would need more connections than there are.
    #[error(
        "--pool-size {asked} is more than PostgreSQL can give: its max_connections leaves {free} \
         connections, and Rowcast needs {DIRECT_CONNECTIONS} besides the pool. Use --pool-size {} \
         or less, or raise max_connections",
        free.saturating_sub(DIRECT_CONNECTIONS).max(1)
    )]
    TooFewConnections {
        /// The pool's size.
        asked: u32,
        /// `max_connections` without those reserved for superusers.
        free: u32,
    },
    /// It is older than Rowcast needs.
    #[error(
        "PostgreSQL at {address} is version {version}; Rowcast needs {} or newer. Upgrade it, or \
         use another server",
        private_postgres::OLDEST_VERSION
    )]
    TooOld {
        /// Host and port, or the socket's folder.
        address: String,
        /// Its version.
        version: String,
    },
    /// Anything else.
    #[error("PostgreSQL at {address}: {source}")]
    Other {
        /// Host and port, or the socket's folder.
        address: String,
        /// What happened.
        source: sqlx::Error,
    },
}

/// Connects, checks that the server is one Rowcast can work with, and opens the pool.
///
/// A server that is starting (as all of a composition of containers do at once) is waited for.
///
/// # Errors
/// Each says what to do.
pub async fn connect(url: &str, size: u32, timeouts: Timeouts) -> Result<PgPool, PoolError> {
    let options = connect_options(url)?;
    let address = address(&options);
    let mut first = connect_patiently(&options, &address).await?;
    check(&mut first, &address, size).await?;
    drop(first);
    let open = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(POOL_ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            let settings = session_settings(&timeouts);
            Box::pin(async move {
                // Even EXPLAIN loads the compiler, for a view that is expensive to read in full: that took longer than
                // its first rows.
                connection.execute("SET jit = off").await?;
                connection.execute(settings).await.map(drop)
            })
        })
        .connect_with(options)
        .await;
    open.map_err(|error| classify(error, address))
}

/// Connections of their own for looks at tables that are not live, opened as they are needed: such a look
/// may take long, or hang with a foreign server, and must hold up nobody else. They cannot write.
///
/// # Errors
/// If the address cannot be read.
pub fn connect_for_polls(url: &str) -> Result<PgPool, PoolError> {
    // Every look finds the rows of an unordered table in the same order.
    const SETTINGS: &str = "SET default_transaction_read_only = on; SET synchronize_seqscans = off; \
                            SET max_parallel_workers_per_gather = 0; SET jit = off;";
    let timeout = POLL_TIMEOUT.as_millis();
    let settings = format!("{SETTINGS} SET statement_timeout = '{timeout} ms'");
    let options = connect_options(url)?;
    Ok(PgPoolOptions::new()
        .max_connections(POLL_CONNECTIONS)
        .acquire_timeout(POOL_ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                let timeouts = Timeouts::default();
                connection.execute(session_settings(&timeouts)).await?;
                connection
                    .execute(sqlx::AssertSqlSafe(settings))
                    .await
                    .map(drop)
            })
        })
        .connect_lazy_with(options))
}

/// A connection like the pool's but beside it, for something that takes long.
///
/// # Errors
/// If PostgreSQL cannot be reached, or takes no more connections.
pub async fn connect_beside(
    pool: &PgPool,
    timeouts: &Timeouts,
) -> Result<PgConnection, sqlx::Error> {
    let options = pool.connect_options();
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    let mut connection =
        connecting.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))?;
    connection.execute(session_settings(timeouts)).await?;
    Ok(connection)
}

/// Whether PostgreSQL answers.
///
/// # Errors
/// If it does not.
pub async fn ask(pool: &PgPool) -> Result<(), sqlx::Error> {
    pool.execute("SELECT 1").await.map(drop)
}

/// How to connect for the change log: directly (a pooler in between would lose the session's
/// locks), and with a connection that notices within seconds that the other end is gone.
///
/// # Errors
/// If the address cannot be read, or insists on TLS.
pub fn listener_config(url: &str) -> Result<tokio_postgres::Config, PoolError> {
    let mut config: tokio_postgres::Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| PoolError::BadUrl(error.to_string()))?;
    if config.get_ssl_mode() == tokio_postgres::config::SslMode::Require {
        return Err(PoolError::NeedsTls);
    }
    config
        .application_name(APPLICATION_NAME)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(TCP_USER_TIMEOUT);
    Ok(config)
}

fn connect_options(url: &str) -> Result<PgConnectOptions, PoolError> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|error: sqlx::Error| PoolError::BadUrl(error.to_string()))?;
    // Counting a large view takes seconds and is no fault.
    let slow = tracing::log::LevelFilter::Warn;
    Ok(options
        .application_name(APPLICATION_NAME)
        .log_slow_statements(slow, SLOW_STATEMENT))
}

fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// SQL that sets what rows are written under; the change log's trigger sets the same.
pub fn fixed_settings() -> String {
    FIXED_SETTINGS
        .iter()
        .map(|(name, value)| format!("SET {name} = {value};"))
        .collect()
}

/// What is set on every connection of the pool. The server looks after its end of the connection
/// too, so that a client that vanished does not keep a transaction open.
fn session_settings(timeouts: &Timeouts) -> sqlx::AssertSqlSafe<String> {
    let mut sql = fixed_settings();
    sql.push_str(&timeouts.session_settings());
    // A plan for one position in a view is no plan for another.
    sql.push_str("SET plan_cache_mode = force_custom_plan;");
    let limits = [
        ("lock_timeout", LOCK_TIMEOUT),
        (
            "idle_in_transaction_session_timeout",
            IDLE_IN_TRANSACTION_TIMEOUT,
        ),
        ("tcp_user_timeout", TCP_USER_TIMEOUT),
    ];
    for (name, limit) in limits {
        sql.push_str(&format!("SET {name} = '{} ms';", limit.as_millis()));
    }
    let keepalive = [("idle", KEEPALIVE_IDLE), ("interval", KEEPALIVE_INTERVAL)];
    for (name, time) in keepalive {
        sql.push_str(&format!("SET tcp_keepalives_{name} = {};", time.as_secs()));
    }
    sql.push_str(&format!("SET tcp_keepalives_count = {KEEPALIVE_RETRIES}"));
    sqlx::AssertSqlSafe(sql)
}

async fn connect_patiently(
    options: &PgConnectOptions,
    address: &str,
) -> Result<PgConnection, PoolError> {
    let deadline = tokio::time::Instant::now() + DATABASE_START_PATIENCE;
    let mut pause = RECONNECT_BACKOFF.0;
    loop {
        let attempt = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
        let error = match attempt {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        if !is_starting(&error) || tokio::time::Instant::now() > deadline {
            return Err(classify(error, address.to_owned()));
        }
        tracing::info!("PostgreSQL at {address} is starting; waiting for it");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RECONNECT_BACKOFF.1);
    }
}

/// `57P03`: it is there, and will take connections soon.
fn is_starting(error: &sqlx::Error) -> bool {
    sqlstate(error).as_deref() == Some("57P03")
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()?
        .code()
        .map(|code| code.into_owned())
}

fn classify(error: sqlx::Error, address: String) -> PoolError {
    let message = error
        .as_database_error()
        .map_or_else(String::new, |e| e.message().to_owned());
    match sqlstate(&error).as_deref() {
        Some("28P01" | "28000") => PoolError::Login { address, message },
        Some("3D000") => PoolError::NoDatabase { address, message },
        Some("53300") => PoolError::Full { address, message },
        _ => match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
                PoolError::Unreachable {
                    address,
                    source: error,
                }
            }
            source => PoolError::Other { address, source },
        },
    }
}

async fn check(
    connection: &mut PgConnection,
    address: &str,
    pool_size: u32,
) -> Result<(), PoolError> {
    let query = "SELECT current_setting('server_version_num')::int / 10000, \
                 current_setting('server_version'), \
                 current_setting('max_connections')::int \
                     - current_setting('superuser_reserved_connections')::int";
    let row: Result<(i32, String, i32), _> = sqlx::query_as(query).fetch_one(connection).await;
    let (major, version, free) = row.map_err(|source| PoolError::Other {
        address: address.to_owned(),
        source,
    })?;
    if major.cast_unsigned() < private_postgres::OLDEST_VERSION {
        return Err(PoolError::TooOld {
            address: address.to_owned(),
            version,
        });
    }
    let free = u32::try_from(free).unwrap_or(0);
    if pool_size + POLL_CONNECTIONS + DIRECT_CONNECTIONS > free {
        return Err(PoolError::TooFewConnections {
            asked: pool_size,
            free,
        });
    }
    Ok(())
}
