//! The web viewer in a real browser: other people's edits appear in it, and its own go out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::browser::{Browser, PAGE_DEADLINE};
use e2e::eventually::SOON;
use e2e::viewing::{open, shows, until};
use e2e::{TestDatabase, TestRedis, TestServer};
use protocol::{Value, ViewSpec};

const ITEMS: &str = "
    CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL, price numeric(10,2), stock integer);
    INSERT INTO items
    SELECT n, 'item ' || n, n * 1.25, n % 100 FROM generate_series(1, 20000) AS n;";

/// A JavaScript expression: the grid's cell with this text, read through the copy of the
/// accessibility tree.
fn cell(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        "[...document.querySelectorAll('[role=gridcell]')].find(cell => cell.textContent === {text})"
    )
}

/// Where a cell is on the page.
async fn center(browser: &Browser, text: &str) -> (i64, i64) {
    let script = format!(
        "const place = ({}).getBoundingClientRect(); \
         return [Math.round(place.x + place.width / 2), Math.round(place.y + place.height / 2)];",
        cell(text)
    );
    let place = browser.evaluate(&script).await;
    (place[0].as_i64().unwrap(), place[1].as_i64().unwrap())
}

#[tokio::test]
async fn edits_travel_between_a_native_viewer_and_a_page() {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items"]).await;
    let redis = TestRedis::start().await;
    let first = TestServer::start_with_redis(&database, &redis).await;
    let second = TestServer::start_with_redis(&database, &redis).await;
    let mut native = second.viewer().await;
    let window = open(&mut native, ViewSpec::table("items"), 0, 4).await;

    let browser = Browser::start().await;
    let page = format!("{}#table=items", first.page_url());
    browser.open(&page).await;
    browser
        .wait_for("page-does-not-load", &cell("item 1"), PAGE_DEADLINE)
        .await;
    browser
        .wait_for("page-shows-no-row", &cell("item 4"), SOON)
        .await;

    // A native viewer's edit, at the other server, shows in the page.
    let (key, value) = ([Value::Int(1)], Value::text("edited natively"));
    let edit = native
        .act(|model, now| model.edit(window, &key, "name", value, now))
        .unwrap();
    until(&mut native, "the edit is settled", |model| {
        model.edit_state(edit).is_none()
    })
    .await;
    browser
        .wait_for("native-edit-not-in-page", &cell("edited natively"), SOON)
        .await;

    // An edit typed into the page shows in the native viewer, at the other server.
    browser.double_click(center(&browser, "item 2").await).await;
    browser.replace_text("typed in a browser").await;
    let typed = ["edited natively", "typed in a browser", "item 3", "item 4"];
    shows(&mut native, window, "name", &typed).await;
    browser
        .wait_for("own-edit-not-in-page", &cell("typed in a browser"), SOON)
        .await;

    // And so does what psql does to both.
    database.execute("DELETE FROM items WHERE id = 3").await;
    let gone = format!("!{}", cell("item 3"));
    browser
        .wait_for("deleted-row-stays-in-page", &gone, SOON)
        .await;
    shows(&mut native, window, "id", &["1", "2", "4", "5"]).await;

    let picture = browser.screenshot("web-viewer").await;
    println!("{}", picture.display());
    browser.close().await;
}

#[tokio::test]
async fn a_page_comes_back_after_its_server() {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items"]).await;
    let server = TestServer::start(&database).await;
    let port = server.address().port();
    let browser = Browser::start().await;
    browser
        .open(&format!("{}#table=items&sort=-price", server.page_url()))
        .await;
    browser
        .wait_for("page-does-not-load", &cell("item 20000"), PAGE_DEADLINE)
        .await;

    server.stop().await;
    database
        .execute("UPDATE items SET price = 99999 WHERE id = 7")
        .await;
    let _server = TestServer::at(TestServer::options(&database), port).await;
    browser
        .wait_for("page-does-not-return", &cell("item 7"), PAGE_DEADLINE)
        .await;
    browser.close().await;
}
