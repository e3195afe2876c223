//! The rules that the compiler does not know: who may import what, how long a file may be, and what
//! the documents must mention. ARCHITECTURE.md gives the reasons.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file longer than this holds more than one concept. A file of tests is a list, and each one more
/// is another program to link, so it may be longer.
const FILE_LINES_MAX: usize = 600;
const TEST_FILE_LINES_MAX: usize = 900;
/// A function longer than this does more than one thing. (Clippy counts only lines of code.)
const FUNCTION_LINES_MAX: usize = 90;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that git knows or would add, relative to the root.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let names = names
        .lines()
        .map(str::to_owned)
        .filter(|name| root().join(name).is_file());
    let names: Vec<_> = names.collect();
    assert!(
        names.len() > 50,
        "this test reads a git checkout of the project"
    );
    names
}

fn rust_files(folder: &str) -> Vec<String> {
    let is_ours = |name: &String| name.starts_with(folder) && name.ends_with(".rs");
    files().into_iter().filter(is_ours).collect()
}

/// The lines of a file that are not comments, with their numbers.
fn code_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = source
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether `line` names `path` as a whole: `redis::` in `use redis::Client`, not in `a_redis::b`.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|char| char.is_alphanumeric() || char == '_' || char == ':')
    })
}

/// Lists `file:line` for each line of code in `files` that names one of `paths`.
fn mentions(files: &[String], paths: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in code_lines(&read(file)) {
            if paths.iter().any(|path| names(line, path)) {
                found.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    found
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// The names of a crate's dependencies of one kind (`None` for ordinary ones), on any target.
fn dependencies(package: &str, kind: Option<&str>) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|candidate| candidate["name"] == package)
        .unwrap();
    let of_kind = package["dependencies"].as_array().unwrap().iter();
    let of_kind = of_kind.filter(|dependency| dependency["kind"].as_str() == kind);
    of_kind
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_pure_crates_depend_on_nothing_that_does_io() {
    let allowed = ["postcard", "protocol", "serde", "serde_json", "thiserror"];
    for package in ["protocol", "view-index"] {
        let others: Vec<_> = dependencies(package, None)
            .into_iter()
            .filter(|name| !allowed.contains(&name.as_str()))
            .collect();
        assert_none(
            &format!("{package} stays pure; its dependencies are few"),
            &others,
        );
    }
}

#[test]
fn the_pure_crates_have_no_clock_no_io_no_threads() {
    let mut sources = rust_files("protocol/src/");
    sources.extend(rust_files("view-index/src/"));
    let impure = [
        "std::time",
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "std::sync::mpsc",
        "SystemTime",
        "Instant",
        "async fn",
        "async move",
        "println!",
        "eprintln!",
    ];
    assert_none(
        "protocol and view-index are pure",
        &mentions(&sources, &impure),
    );
}

#[test]
fn the_client_does_not_know_the_server() {
    let dependencies = dependencies("client-egui", None);
    for package in [
        "server",
        "seed",
        "migrations",
        "private-postgres",
        "sqlx",
        "tokio-postgres",
    ] {
        assert!(
            !dependencies.contains(package),
            "client-egui depends on {package}"
        );
    }
}

#[test]
fn the_clients_model_does_not_know_the_screen() {
    let mut sources = rust_files("client-egui/src/model/");
    sources.extend(rust_files("client-egui/src/net/"));
    let screen = ["egui::", "eframe::", "use egui", "use eframe"];
    assert_none(
        "the model and the network draw nothing",
        &mentions(&sources, &screen),
    );
}

#[test]
fn each_driver_has_its_folder_in_the_server() {
    let outside = |folders: &[&str]| -> Vec<String> {
        let within = |name: &String| folders.iter().any(|folder| name.starts_with(folder));
        rust_files("server/src/")
            .into_iter()
            .filter(|name| !within(name))
            .collect()
    };
    // A pool or a configuration may be passed on; statements are written in one folder.
    let sql = outside(&["server/src/db/"]);
    let statements = [
        "sqlx::query",
        "query_scalar",
        "query_as",
        "QueryBuilder",
        "sqlx::Executor",
    ];
    assert_none("only server/src/db runs SQL", &mentions(&sql, &statements));

    let listen = outside(&["server/src/db/", "server/src/changes/"]);
    let driver = [
        "use tokio_postgres",
        "tokio_postgres::Client",
        "tokio_postgres::connect",
    ];
    assert_none(
        "only db and changes connect by tokio-postgres",
        &mentions(&listen, &driver),
    );

    let fanout = outside(&["server/src/fanout/"]);
    let redis = [
        "use redis",
        "redis::cmd",
        "redis::aio",
        "redis::AsyncCommands",
    ];
    assert_none(
        "only server/src/fanout speaks to Redis",
        &mentions(&fanout, &redis),
    );
}

#[test]
fn files_and_functions_stay_readable() {
    let mut long = Vec::new();
    for file in files().into_iter().filter(|name| name.ends_with(".rs")) {
        let source = read(&file);
        let lines: Vec<_> = source.lines().collect();
        let is_test = file.contains("/tests/");
        if lines.len()
            > if is_test {
                TEST_FILE_LINES_MAX
            } else {
                FILE_LINES_MAX
            }
        {
            long.push(format!("{file}: {} lines", lines.len()));
        }
        for (start, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!(
                    "{file}:{}: a function of {length} lines",
                    start + 1
                ));
            }
        }
    }
    assert_none("one concept per file, one task per function", &long);
}

/// Where each function starts and how many lines it has, by rustfmt's indentation.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = code.starts_with("fn ") || code.contains(" fn ");
        if !is_function || code.starts_with("//") || !line.contains('(') {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        if let Some(length) = lines[start..].iter().position(|line| **line == end) {
            found.push((start, length + 1));
        }
    }
    found
}

#[test]
fn every_crate_keeps_the_workspaces_lints() {
    for file in files()
        .into_iter()
        .filter(|name| name.ends_with("/Cargo.toml"))
    {
        assert!(
            read(&file).contains("[lints]\nworkspace = true"),
            "{file} has lints of its own"
        );
    }
}

#[test]
fn nothing_names_a_folder_of_one_machine() {
    // Written apart, so that this file does not find itself.
    let needles = [
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("/ho", "me/"),
    ];
    let mut found = Vec::new();
    for file in files() {
        // Pictures and other binary files are not text.
        let Ok(text) = fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none("paths are relative or come from the environment", &found);
}

/// The names in a golden frame that lists an enum.
fn enumeration(name: &str) -> Vec<String> {
    let version = protocol::PROTOCOL_VERSION;
    let text = read(&format!(
        "protocol/tests/golden/v{version}/enum_{name}.json"
    ));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_protocol_document_mentions_everything() {
    let document = read("docs/protocol.md");
    for list in [
        "error_code",
        "column_kind",
        "filter_op",
        "reset_reason",
        "nulls_order",
        "aggregate_op",
    ] {
        for name in enumeration(list) {
            assert!(
                document.contains(&format!("`{name}`")),
                "docs/protocol.md: {list} {name}"
            );
        }
    }
    let kinds = [
        "list_tables",
        "open",
        "move",
        "ack",
        "close",
        "edit",
        "ping",
        "hello",
        "tables",
        "opened",
        "update",
        "edit_result",
        "status",
        "error",
        "heartbeat",
        "pong",
        "create_index",
        "cancel_index",
        "advice",
        "index_progress",
    ];
    for kind in kinds {
        assert!(
            document.contains(&format!("`{kind}`")),
            "docs/protocol.md: message {kind}"
        );
    }
    for encoding in protocol::Encoding::ALL {
        assert!(
            document.contains(encoding.subprotocol()),
            "{}",
            encoding.subprotocol()
        );
    }
}

#[test]
fn every_setting_is_in_the_example() {
    let config = read("server/src/config.rs");
    let example = read(".env.example");
    let mut settings = 0;
    for (_, line) in code_lines(&config) {
        for (_, rest) in line
            .match_indices("env = \"")
            .map(|(at, text)| (at, &line[at + text.len()..]))
        {
            let name = rest.split('"').next().unwrap();
            assert!(
                example.contains(&format!("{name}=")),
                ".env.example lacks {name}"
            );
            settings += 1;
        }
    }
    assert!(
        settings > 4,
        "config.rs names its environment variables as `env = \"NAME\"`"
    );
}

/// Links to files of the repository lead somewhere.
#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for file in files().into_iter().filter(|name| name.ends_with(".md")) {
        let folder = Path::new(&file).parent().unwrap().to_owned();
        for link in links(&read(&file)) {
            if !root().join(&folder).join(&link).exists() {
                broken.push(format!("{file}: {link}"));
            }
        }
    }
    assert_none("links that lead nowhere", &broken);
}

/// The relative link targets of a Markdown text, without anchors.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| target.split('#').next().unwrap_or_default());
    let local = paths.filter(|path| !path.is_empty() && !path.contains("://"));
    local
        .filter(|path| !path.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}
