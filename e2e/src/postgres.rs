//! PostgreSQL clusters and databases of the tests' own.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use private_postgres::{KillTarget, Options, PrivatePostgres, StopMode};
use sqlx::Connection;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

/// A PostgreSQL server; it stops and its folder goes with the value.
#[derive(Debug)]
pub struct Cluster {
    postgres: Mutex<PrivatePostgres>,
    url: String,
    _folder: TempDir,
}

/// The cluster that tests of one process share, for as long as one of them runs.
static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(1);

impl Cluster {
    /// Starts a cluster, for a test that breaks it.
    ///
    /// # Panics
    /// If it does not start; the message says what to install.
    pub async fn start() -> Arc<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("rowcast-e2e-");
        // PostgreSQL runs as another user if the tests run as root.
        builder.permissions(std::fs::Permissions::from_mode(0o755));
        let folder = builder.tempdir().expect("no temporary folder can be made");
        let options = Options::throwaway(folder.path().join("postgres"))
            .setting("max_connections", "200")
            .setting("log_min_duration_statement", "1000")
            // Tests that crash the server count on what they committed, and that nothing else got into the
            // write-ahead log: at a higher level the background writer records the next transaction's
            // number every 15 s, and after a crash the numbers before it are not used again.
            .setting("synchronous_commit", "on")
            .setting("wal_level", "minimal")
            .setting("max_wal_senders", "0");
        let postgres = PrivatePostgres::start(options)
            .await
            .expect("PostgreSQL must be installed");
        Arc::new(Self {
            url: postgres.url(),
            postgres: Mutex::new(postgres),
            _folder: folder,
        })
    }

    /// The cluster that tests share which only need databases.
    ///
    /// # Panics
    /// As for [`Self::start`].
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let cluster = Self::start().await;
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// Stops it in order and starts it again on the same port.
    ///
    /// # Panics
    /// If it does not.
    pub async fn restart(&self) {
        self.postgres
            .lock()
            .await
            .restart()
            .await
            .expect("PostgreSQL did not restart");
    }

    /// Stops it; [`Self::restart`] starts it again.
    ///
    /// # Panics
    /// If it does not stop.
    pub async fn stop(&self) {
        self.postgres
            .lock()
            .await
            .stop(StopMode::Fast)
            .await
            .expect("PostgreSQL did not stop");
    }

    /// What PostgreSQL has written to its log so far.
    ///
    /// # Panics
    /// If it cannot be read.
    pub async fn log(&self) -> String {
        let path = self.postgres.lock().await.log();
        String::from_utf8_lossy(&std::fs::read(path).expect("PostgreSQL's log")).into_owned()
    }

    /// Kills one backend with SIGKILL: the server ends all the others, recovers, and empties unlogged
    /// tables.
    ///
    /// # Panics
    /// If there is nothing to kill.
    pub async fn crash_backend(&self) {
        let mut postgres = self.postgres.lock().await;
        postgres
            .kill(KillTarget::Backend)
            .await
            .expect("no backend could be killed");
    }

    /// A new, empty database.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn database(self: &Arc<Self>) -> TestDatabase {
        self.database_like("template1").await
    }

    async fn database_like(self: &Arc<Self>, template: &str) -> TestDatabase {
        let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&self.url).await;
        // The cluster's user is called like the change log's schema, which would come first.
        let search = format!("ALTER DATABASE {name} SET search_path = public");
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        for sql in [create, search] {
            admin.batch_execute(&sql).await.expect("a new database");
        }
        let (server, _) = self
            .url
            .rsplit_once('/')
            .expect("an address ends in a database");
        TestDatabase {
            url: format!("{server}/{name}"),
            cluster: self.clone(),
            attending: Arc::default(),
        }
    }
}

/// A database of one test's own.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    url: String,
    cluster: Arc<Cluster>,
    /// What [`Self::attend`] has opened.
    attending: Arc<Mutex<Vec<Client>>>,
}

impl TestDatabase {
    /// A new database in the shared cluster.
    ///
    /// # Panics
    /// If there is no PostgreSQL.
    pub async fn new() -> Self {
        Cluster::shared().await.database().await
    }

    /// A new database in a cluster of its own, for a test that breaks it.
    ///
    /// # Panics
    /// If there is no PostgreSQL.
    pub async fn in_own_cluster() -> Self {
        Cluster::start().await.database().await
    }

    /// A copy of it in the same cluster, as a restored dump would be. Nobody may be connected.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn copy(&self) -> Self {
        self.attending.lock().await.clear();
        let (_, name) = self
            .url
            .rsplit_once('/')
            .expect("an address ends in a database");
        self.cluster.database_like(name).await
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A connection, as psql would open one.
    ///
    /// # Panics
    /// If there is none.
    pub async fn connect(&self) -> Client {
        connect(&self.url).await
    }

    /// A connection, if PostgreSQL answers.
    pub async fn try_connect(&self) -> Option<Client> {
        try_connect(&self.url).await.ok()
    }

    /// Runs statements on a connection of their own.
    ///
    /// # Panics
    /// If one fails.
    pub async fn execute(&self, sql: &str) {
        let outcome = self.connect().await.batch_execute(sql).await;
        outcome.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Installs the change log, then runs `sql` and watches the tables.
    ///
    /// # Panics
    /// If any of it fails.
    pub async fn install(&self, sql: &str, watched: &[&str]) {
        let mut connection = sqlx::PgConnection::connect(&self.url)
            .await
            .expect("the database does not answer");
        migrations::install_engine(&mut connection)
            .await
            .expect("the change log");
        connection.close().await.expect("closing");
        self.execute(sql).await;
        for table in watched {
            self.execute(&format!("SELECT rowcast.watch('{table}')"))
                .await;
        }
    }

    /// Has the changes of these tables logged from now on, as a server does while somebody shows them.
    ///
    /// # Panics
    /// If a table is not there.
    pub async fn attend(&self, tables: &[&str]) {
        let client = self.connect().await;
        for table in tables {
            let sql =
                format!("SELECT pg_advisory_lock_shared(78130143, '{table}'::regclass::oid::int4)");
            client.batch_execute(&sql).await.expect("a table");
        }
        self.attending.lock().await.push(client);
    }

    /// The connections by which servers, or [`Self::attend`], have changes logged.
    ///
    /// # Panics
    /// If the database cannot be asked.
    pub async fn attending(&self) -> Vec<i32> {
        let pids = "SELECT DISTINCT pid FROM pg_locks
                    WHERE locktype = 'advisory' AND classid = 78130143 AND mode = 'ShareLock'
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let rows = self.connect().await.query(pids, &[]).await;
        let rows = rows.expect("the locks");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Ends a connection, as a network fault would, and waits until it has ended.
    ///
    /// # Panics
    /// If the database cannot be asked.
    pub async fn end_connection(&self, pid: i32) {
        let sql = format!("SELECT pg_terminate_backend({pid}, 10000)");
        self.execute(&sql).await;
    }

    /// Ends the connections that LISTEN, as a network fault would.
    ///
    /// # Panics
    /// If the database cannot be asked.
    pub async fn kill_listeners(&self) -> u64 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \
                   datname = current_database() AND pid <> pg_backend_pid() AND \
                   (query ILIKE 'LISTEN %' OR query = 'SELECT 1')";
        self.connect()
            .await
            .execute(sql, &[])
            .await
            .expect("terminating the listeners")
    }
}

async fn connect(url: &str) -> Client {
    try_connect(url)
        .await
        .unwrap_or_else(|error| panic!("PostgreSQL does not answer: {error:?}"))
}

async fn try_connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Its error reaches the client's next call as well.
    tokio::spawn(connection);
    Ok(client)
}
