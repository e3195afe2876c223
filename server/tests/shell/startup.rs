//! What a server says that cannot start: what is wrong, and what to do.

use private_postgres::{Options, PrivatePostgres};
use server::{Database, ServerOptions};
use tokio::net::TcpListener;

use crate::fixture::any_port;

/// What the start fails with.
async fn failure(options: ServerOptions) -> String {
    match server::start(options, any_port().await).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_database_address_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = PrivatePostgres::start(Options::throwaway(folder.path()))
        .await
        .unwrap();
    let url = postgres.url();
    let password = url.split([':', '@']).nth(2).unwrap();
    let cases = [
        (
            url.replace(password, "wrong"),
            &[
                "refused the login",
                "password authentication failed",
                "Check the user",
            ][..],
        ),
        (
            url.trim_end_matches("rowcast").to_owned() + "missing",
            &["database \"missing\" does not exist", "createdb"],
        ),
        (
            url.replace(&format!(":{}/", postgres.port()), ":1/"),
            &[
                "cannot be reached",
                "Connection refused",
                "Check that it runs",
            ],
        ),
        (
            "mysql:/nowhere".to_owned(),
            &["postgres://user:password@host"],
        ),
        (format!("{url}?sslmode=require"), &["sslmode=prefer"]),
    ];
    for (address, words) in cases {
        let said = failure(ServerOptions::new(Database::Url(address))).await;
        assert!(!said.contains(password), "the password is in: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }

    let mut options = ServerOptions::new(Database::Url(url));
    options.pool_size = 5_000;
    let said = failure(options.clone()).await;
    assert!(
        said.contains("--pool-size 5000") && said.contains("Use --pool-size 94"),
        "{said}"
    );
    options.redis_url = Some("localhost:6379".to_owned());
    let said = failure(options).await;
    assert!(
        said.contains("REDIS_URL") && said.contains("redis://host:6379"),
        "{said}"
    );
}

#[tokio::test]
async fn a_bad_data_folder_is_explained() {
    let private = Options::throwaway("/proc/no");
    let said = failure(ServerOptions::new(Database::Private(private))).await;
    assert!(
        said.contains("private PostgreSQL") && said.contains("/proc/no"),
        "{said}"
    );
}

#[tokio::test]
async fn an_occupied_port_is_explained() {
    let taken = any_port().await.local_addr().unwrap();
    let _holder = TcpListener::bind(taken).await.unwrap();
    let said = server::start::listen(taken.ip(), taken.port())
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains(&taken.to_string()), "{said}");
    assert!(
        said.contains(&format!("PORT={}", taken.port() + 1)),
        "{said}"
    );
}
