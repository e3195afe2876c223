//! The web viewer's files.

use std::path::Path;
use std::time::Duration;

use crate::fixture::{Fixture, ask};

pub(crate) async fn a_missing_viewer_is_explained(fixture: &Fixture) {
    let page = fixture.get("/", &[]).await;
    assert_eq!(page.status, 404);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(page.text().contains("client-egui/build-web.sh"));
}

pub(crate) fn write_viewer(web: &Path) {
    std::fs::create_dir_all(web.join("fonts")).unwrap();
    let files: [(&str, &[u8]); 8] = [
        ("index.html", b"<!doctype html>page"),
        ("viewer_bg.wasm", b"\0asm plain"),
        ("viewer_bg.wasm.br", b"brotli"),
        ("viewer_bg.wasm.gz", b"gzip"),
        ("only.js", b"let x;"),
        ("only.js.gz", b"gzipped"),
        ("fonts/a.woff2", b"font"),
        (".hidden", b"secret"),
    ];
    for (name, content) in files {
        std::fs::write(web.join(name), content).unwrap();
    }
    std::fs::write(web.join("../secret.txt"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret.txt", web.join("link.txt")).unwrap();
}

pub(crate) async fn files_are_negotiated_and_cached(fixture: &Fixture) {
    let page = fixture
        .get("/", &[("Accept-Encoding", "gzip, deflate, br")])
        .await;
    assert_eq!(
        (page.status, page.text().as_str()),
        (200, "<!doctype html>page")
    );
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("content-encoding"), None);
    assert_eq!(page.header("cache-control"), Some("no-cache"));

    let cases = [
        ("gzip, deflate, br, zstd", Some("br"), "brotli"),
        ("br;q=0.5, gzip", Some("gzip"), "gzip"),
        ("br;q=0, gzip", Some("gzip"), "gzip"),
        ("zstd", None, "\0asm plain"),
        ("identity, br;q=0.1", None, "\0asm plain"),
    ];
    for (accepts, encoding, body) in cases {
        let wasm = fixture
            .get("/viewer_bg.wasm", &[("Accept-Encoding", accepts)])
            .await;
        assert_eq!(
            (wasm.status, wasm.text().as_str()),
            (200, body),
            "{accepts}"
        );
        assert_eq!(wasm.header("content-encoding"), encoding, "{accepts}");
        assert_eq!(wasm.header("content-type"), Some("application/wasm"));
        assert_eq!(wasm.header("vary"), Some("Accept-Encoding"));

        let etag = wasm.header("etag").unwrap();
        let listed = format!("\"other\", W/{etag}");
        for known in [etag, &listed, "*"] {
            let headers = [("Accept-Encoding", accepts), ("If-None-Match", known)];
            let again = fixture.get("/viewer_bg.wasm", &headers).await;
            assert_eq!(
                (again.status, again.body.len()),
                (304, 0),
                "{accepts} {known}"
            );
            assert_eq!(again.header("etag"), Some(etag));
            assert!(again.header("content-security-policy").is_some());
        }
        let headers = [("Accept-Encoding", accepts), ("If-None-Match", "\"other\"")];
        assert_eq!(fixture.get("/viewer_bg.wasm", &headers).await.status, 200);
    }
    let script = fixture
        .get("/only.js", &[("Accept-Encoding", "br, gzip")])
        .await;
    assert_eq!(
        (script.header("content-encoding"), script.text().as_str()),
        (Some("gzip"), "gzipped")
    );
    assert_eq!(fixture.get("/fonts/a.woff2", &[]).await.text(), "font");

    built_again_while_the_server_runs(fixture).await;

    let head = ask(fixture.server.address(), "HEAD", "/viewer_bg.wasm", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("10"));
}

async fn built_again_while_the_server_runs(fixture: &Fixture) {
    // The compressed one is older than its original now, and not the same.
    let path = fixture.folder.path().join("web/only.js");
    let later = std::time::SystemTime::now() + Duration::from_secs(2);
    std::fs::write(&path, "let y;").unwrap();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    let script = fixture
        .get("/only.js", &[("Accept-Encoding", "br, gzip")])
        .await;
    assert_eq!(
        (script.header("content-encoding"), script.text().as_str()),
        (None, "let y;")
    );
}

pub(crate) async fn nothing_else_can_be_read(fixture: &Fixture) {
    let long = format!("/{}", "a".repeat(8 * 1024));
    let endless = format!("/{}", "a".repeat(64 * 1024));
    let tricks = [
        "/../secret.txt",
        "/static/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2f%2e%2e%2fetc/passwd",
        "//etc/passwd",
        "/fonts//a.woff2",
        "/fonts/",
        "/fonts",
        "/index.html%00.js",
        "/link.txt",
        "/.hidden",
        "/nothing.js",
        &long,
        &endless,
    ];
    for path in tricks {
        let answer = fixture.get(path, &[]).await;
        let refused = [400, 404, 414, 431].contains(&answer.status);
        assert!(refused, "{}: {path:.60}", answer.status);
        assert!(!answer.text().contains("secret"), "{path:.60}");
    }
    assert_eq!(fixture.get("/livez", &[]).await.status, 200);
}
