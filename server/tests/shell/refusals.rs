//! What browsers are told, and whom the server does not answer.

use crate::fixture::{Fixture, ask, upgrade_status};

pub(crate) async fn browsers_are_told_what_pages_may_do(fixture: &Fixture) {
    for path in ["/", "/nothing", "/readyz", "/../x"] {
        let answer = fixture.get(path, &[]).await;
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "'wasm-unsafe-eval'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        assert!(
            policy.contains(&format!(" ws://{}", fixture.server.address())),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("x-request-id").is_some());
    }
    // A host name that is not ours does not get into the policy.
    let foreign = fixture
        .get("/", &[("Host", "evil.example; script-src *")])
        .await;
    assert!(!foreign.head.contains("evil.example"));
}

pub(crate) async fn methods_are_checked(fixture: &Fixture) {
    let to = fixture.server.address();
    for (method, path) in [
        ("POST", "/livez"),
        ("TRACE", "/readyz"),
        ("BREW", "/"),
        ("PUT", "/only.js"),
    ] {
        let answer = ask(to, method, path, &[]).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(
            answer.header("allow").unwrap().contains("GET"),
            "{method} {path}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    let head = ask(to, "HEAD", "/version", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let version = fixture.get("/version", &[]).await.text();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

pub(crate) async fn only_own_pages_get_a_socket(fixture: &Fixture) {
    let to = fixture.server.address();
    let own = format!("http://{to}");
    let same_machine = format!("http://localhost:{}", to.port());
    let status = async |host: Option<&str>, origin: Option<&str>| {
        let mut headers = vec![
            ("Upgrade", "websocket"),
            ("Connection", "upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers.extend(host.map(|host| ("Host", host)));
        headers.extend(origin.map(|origin| ("Origin", origin)));
        upgrade_status(to, &headers).await
    };
    for origin in [
        None,
        Some(own.as_str()),
        Some(&same_machine),
        Some("https://good.example"),
    ] {
        assert_eq!(status(None, origin).await, 101, "{origin:?}");
    }
    let foreign = [
        "https://evil.example",
        "null",
        "https://good.example.evil.com",
        "http://good.example",
        "http://127.0.0.1:1",
        "",
    ];
    for origin in foreign {
        assert_eq!(status(None, Some(origin)).await, 403, "{origin}");
    }
    assert_eq!(status(Some("rebound.example"), None).await, 403);
    assert_eq!(
        status(Some("rebound.example"), Some("http://rebound.example")).await,
        403
    );
    assert_eq!(
        status(Some("good.example"), Some("https://good.example")).await,
        101
    );
}
