//! The life of a private server, with a real one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use private_postgres::{KillTarget, Options, PrivatePostgres, StartError, StopMode};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn start(folder: &Path) -> PrivatePostgres {
    PrivatePostgres::start(Options::throwaway(folder))
        .await
        .unwrap()
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn text(url: &str, query: &str) -> String {
    connect(url)
        .await
        .query_one(query, &[])
        .await
        .unwrap()
        .get(0)
}

/// The program that starts a server, which Cargo builds before the tests.
fn starter() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_starter"))
}

/// A process that starts a server and can be killed without a chance to stop it.
struct Starter {
    process: Child,
    pid: i32,
    url: String,
}

impl Starter {
    fn spawn(folder: &Path) -> Self {
        let program = starter();
        let mut process = Command::new(program)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (pid, url) = line.trim().split_once(' ').expect("the starter's line");
        Self {
            process,
            pid: pid.parse().unwrap(),
            url: url.to_owned(),
        }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[tokio::test]
async fn keeps_its_data_and_address_over_every_kind_of_stop() {
    let folder = folder();
    let mut server = start(folder.path()).await;
    let url = server.url();
    connect(&url)
        .await
        .batch_execute("CREATE TABLE kept AS SELECT 'yes'::text")
        .await
        .unwrap();
    let read = "SELECT * FROM kept";

    for mode in [StopMode::Fast, StopMode::Immediate] {
        server.stop(mode).await.unwrap();
        assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
        server.restart().await.unwrap();
        assert_eq!(text(&url, read).await, "yes");
    }
    server.kill(KillTarget::Postmaster).await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(text(&url, read).await, "yes");

    drop(server);
    let server = start(folder.path()).await;
    assert_eq!(server.url(), url);
    assert_eq!(text(&url, read).await, "yes");
    let written = std::fs::read_to_string(folder.path().join("database_url")).unwrap();
    assert_eq!(written.trim(), url);
    for secret in ["database_url", "password"] {
        assert_eq!(
            folder.path().join(secret).metadata().unwrap().mode() & 0o777,
            0o600
        );
    }
}

#[tokio::test]
async fn is_utf8_and_c_with_icu_and_scram() {
    let folder = folder();
    let server = start(folder.path()).await;
    let url = server.url();
    assert_eq!(text(&url, "SHOW server_encoding").await, "UTF8");
    assert_eq!(text(&url, "SHOW fsync").await, "off");
    assert_eq!(text(&url, "SHOW listen_addresses").await, "127.0.0.1");
    let collation = "SELECT datcollate::text FROM pg_database WHERE datname = current_database()";
    assert_eq!(text(&url, collation).await, "C");
    let icu = r#"SELECT min(x COLLATE "und-x-icu") FROM unnest(array['b', 'A', 'a', 'B']) x"#;
    assert_eq!(text(&url, icu).await, "a");
    let wrong = url.replace("rowcast:", "rowcast:not-");
    assert!(tokio_postgres::connect(&wrong, NoTls).await.is_err());
}

#[tokio::test]
async fn a_killed_session_empties_unlogged_tables_and_nothing_else() {
    let folder = folder();
    let options = Options::throwaway(folder.path()).setting("synchronous_commit", "on");
    let mut server = PrivatePostgres::start(options).await.unwrap();
    let url = server.url();
    let client = connect(&url).await;
    client
        .batch_execute("CREATE UNLOGGED TABLE light AS SELECT 1 AS x")
        .await
        .unwrap();
    client
        .batch_execute("CREATE TABLE heavy AS SELECT 1 AS x")
        .await
        .unwrap();
    server.kill(KillTarget::Backend).await.unwrap();
    // PostgreSQL ends every session, then lets nobody in until it has recovered.
    while !client.is_closed() {
        tokio::task::yield_now().await;
    }
    let client = loop {
        if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
            tokio::spawn(connection);
            break client;
        }
        tokio::task::yield_now().await;
    };
    let count = async |table: &str| -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        client.query_one(&query, &[]).await.unwrap().get(0)
    };
    assert_eq!((count("light").await, count("heavy").await), (0, 1));
}

#[tokio::test]
async fn ignores_a_pid_file_of_a_process_that_is_gone_or_is_another_program() {
    let folder = folder();
    let mut server = start(folder.path()).await;
    server.stop(StopMode::Fast).await.unwrap();
    let pid_file = folder.path().join("cluster/postmaster.pid");
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    for pid in [i32::MAX.to_string(), other.id().to_string()] {
        let text = format!(
            "{pid}\n/elsewhere\n1700000000\n{}\n\n\n\nready\n",
            server.port()
        );
        std::fs::write(&pid_file, text).unwrap();
        server.restart().await.unwrap();
        assert_eq!(text_of_one(&server.url()).await, "1");
        server.stop(StopMode::Fast).await.unwrap();
    }
    assert!(
        other.try_wait().unwrap().is_none(),
        "another program was ended"
    );
    other.kill().unwrap();
    other.wait().unwrap();
}

async fn text_of_one(url: &str) -> String {
    text(url, "SELECT '1'::text").await
}

#[tokio::test]
async fn takes_over_the_server_of_a_killed_process() {
    let folder = folder();
    let starter = Starter::spawn(folder.path());
    let (pid, url) = (starter.pid, starter.url.clone());
    connect(&url)
        .await
        .batch_execute("CREATE TABLE kept AS SELECT 'yes'::text")
        .await
        .unwrap();

    let busy = PrivatePostgres::start(Options::throwaway(folder.path()))
        .await
        .unwrap_err();
    assert!(matches!(busy, StartError::InUse { .. }), "{busy}");
    starter.kill();

    let mut server = start(folder.path()).await;
    assert_eq!((server.pid(), server.url()), (Some(pid), url.clone()));
    assert_eq!(text(&url, "SELECT * FROM kept").await, "yes");
    server.restart().await.unwrap();
    assert_ne!(server.pid(), Some(pid));
    assert_eq!(text(&url, "SELECT * FROM kept").await, "yes");
}

#[tokio::test]
async fn starts_although_starter_and_server_were_killed() {
    let folder = folder();
    let starter = Starter::spawn(folder.path());
    let (pid, url) = (starter.pid, starter.url.clone());
    // A session that does not notice by itself keeps the shared memory for a moment.
    let client = connect(&url).await;
    let busy = tokio::spawn(async move {
        let query = "SELECT count(*) FROM generate_series(1, 8000000)";
        client.query_one(query, &[]).await.map(drop)
    });
    starter.kill();
    let status = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let server = start(folder.path()).await;
    assert_eq!(text_of_one(&server.url()).await, "1");
    drop(busy.await);
}

#[tokio::test]
async fn an_occupied_port_is_left_alone() {
    let folder = folder();
    let server = start(folder.path()).await;
    let first = server.port();
    drop(server);
    let occupant = TcpListener::bind(("127.0.0.1", first)).unwrap();

    let asked = Options {
        port: Some(first),
        ..Options::throwaway(folder.path())
    };
    let error = PrivatePostgres::start(asked).await.unwrap_err();
    assert!(
        matches!(error, StartError::PortInUse(port) if port == first),
        "{error}"
    );

    let second = start(folder.path()).await.port();
    assert_ne!(second, first);
    drop(occupant);
    assert_eq!(
        start(folder.path()).await.port(),
        second,
        "the choice is remembered"
    );
}

#[tokio::test]
async fn says_what_is_wrong_with_the_data() {
    let folder = folder();
    drop(start(folder.path()).await);
    let password = folder.path().join("password");
    std::fs::rename(&password, folder.path().join("aside")).unwrap();
    let error = PrivatePostgres::start(Options::throwaway(folder.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StartError::PasswordMissing { .. }),
        "{error}"
    );
    std::fs::rename(folder.path().join("aside"), &password).unwrap();

    let bad = Options::throwaway(folder.path()).setting("work_mem", "much");
    let error = PrivatePostgres::start(bad).await.unwrap_err().to_string();
    assert!(
        error.contains("invalid value for parameter \"work_mem\""),
        "{error}"
    );
    drop(start(folder.path()).await);
}

/// As root only: the two ways to be somebody else.
#[tokio::test]
async fn runs_as_root_and_as_an_ordinary_user() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let outer = folder();
    std::fs::set_permissions(outer.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let hidden = outer.path().join("inner");
    let error = PrivatePostgres::start(Options::throwaway(&hidden))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StartError::NotTraversable { folder, .. } if *folder == outer.path()),
        "{error}"
    );

    let folder = folder();
    let server = start(folder.path()).await;
    let owner = folder.path().join("cluster").metadata().unwrap().uid();
    assert_ne!(owner, 0);
    drop(server);

    // The test's own program may lie where an ordinary user cannot go, so it is copied.
    let ordinary = Path::new("/tmp").join(format!("rowcast-test-{}", std::process::id()));
    std::fs::create_dir(&ordinary).unwrap();
    std::fs::copy(starter(), ordinary.join("starter")).unwrap();
    std::os::unix::fs::chown(&ordinary, Some(65_534), Some(65_534)).unwrap();
    let run = |data: &Path| {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(ordinary.join("starter"))
            .arg(data)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let own = run(&ordinary.join("data"));
    let other = run(folder.path());
    std::fs::remove_dir_all(&ordinary).unwrap();
    let said = String::from_utf8_lossy(&own.stdout);
    assert!(
        said.contains("postgres://rowcast:"),
        "{}",
        String::from_utf8_lossy(&own.stderr)
    );
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(
        said.contains("cannot open the folder") || said.contains("belongs to"),
        "{said}"
    );
}
