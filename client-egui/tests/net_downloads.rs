//! Saving files: whole ones, refused ones, broken ones, cancelled ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use client_egui::net::{DownloadState, Downloads};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that answers one request with the pieces it is given; the connection ends with them.
fn server() -> (String, SyncSender<&'static str>, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let (pieces, to_send) = sync_channel::<&'static str>(8);
    let (asked, request) = sync_channel(1);
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        asked.send(String::from_utf8(head).unwrap()).unwrap();
        for piece in to_send {
            // The client may have left.
            let _ = socket.write_all(piece.as_bytes());
        }
    });
    (url, pieces, request)
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn wait(downloads: &mut Downloads, condition: impl Fn(&DownloadState) -> bool) -> DownloadState {
    let start = Instant::now();
    loop {
        downloads.poll();
        let state = downloads.list().last().unwrap().state.clone();
        if condition(&state) {
            return state;
        }
        assert!(start.elapsed() < PATIENCE, "{state:?}");
        std::thread::yield_now();
    }
}

fn is_over(state: &DownloadState) -> bool {
    !matches!(state, DownloadState::Running { .. })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_saved_under_a_name_that_is_free() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("items.csv"), "mine").unwrap();
    let (url, pieces, request) = server();
    let mut downloads = Downloads::into_folder(&url, folder.path().to_owned(), || {});
    downloads.start("/api/v1/tables/items/export?format=csv", "items.csv");
    assert!(
        request
            .recv()
            .unwrap()
            .starts_with("GET /api/v1/tables/items/export?format=csv ")
    );
    for piece in [CHUNKED, "4\r\na,b\n\r\n", "4\r\n1,2\n\r\n0\r\n\r\n"] {
        pieces.send(piece).unwrap();
    }
    drop(pieces);
    let saved = wait(&mut downloads, is_over);
    let file = folder.path().join("items (2).csv");
    let bytes = 8;
    let expected = file.display().to_string();
    assert_eq!(
        saved,
        DownloadState::Saved {
            file: expected,
            bytes
        }
    );
    assert_eq!(std::fs::read_to_string(file).unwrap(), "a,b\n1,2\n");
    assert_eq!(names(folder.path()), ["items (2).csv", "items.csv"]);
}

#[test]
fn half_a_file_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (url, pieces, _request) = server();
    let mut downloads = Downloads::into_folder(&url, folder.path().to_owned(), || {});
    downloads.start("/x", "items.csv");
    pieces.send(CHUNKED).unwrap();
    pieces.send("4\r\na,b\n\r\n").unwrap();
    drop(pieces);
    let state = wait(&mut downloads, is_over);
    assert!(
        matches!(&state, DownloadState::Failed { reason } if reason.contains("broke off")),
        "{state:?}"
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let folder = tempfile::tempdir().unwrap();
    let (url, pieces, _request) = server();
    let mut downloads = Downloads::into_folder(&url, folder.path().to_owned(), || {});
    downloads.start("/x", "items.csv");
    let body = "{\"code\":\"too_many_exports\",\"detail\":\"two are running\"}";
    assert_eq!(body.len(), 54);
    pieces
        .send("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 54\r\n\r\n")
        .unwrap();
    pieces.send(body).unwrap();
    let reason = "two are running".to_owned();
    let state = wait(&mut downloads, is_over);
    assert_eq!(state, DownloadState::Failed { reason });
}

#[test]
fn cancelling_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (url, pieces, request) = server();
    let mut downloads = Downloads::into_folder(&url, folder.path().to_owned(), || {});
    downloads.start("/x", "items.csv");
    request.recv().unwrap();
    pieces.send(CHUNKED).unwrap();
    pieces.send("4\r\na,b\n\r\n").unwrap();
    let start = Instant::now();
    while names(folder.path()).is_empty() {
        assert!(start.elapsed() < PATIENCE, "no file was begun");
        std::thread::yield_now();
    }
    let id = downloads.list()[0].id;
    downloads.dismiss(id);
    assert!(downloads.list().is_empty());
    while !names(folder.path()).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{:?}", names(folder.path()));
        std::thread::yield_now();
    }
}
