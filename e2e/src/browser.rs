//! A real browser: headless Chromium, driven by WebDriver.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::key::Key;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually::eventually;
use crate::ports::free_port;

/// How long the browser and the page may take to start: WASM is compiled, WebGL runs in software.
pub const PAGE_DEADLINE: Duration = Duration::from_secs(90);

/// Headless Chromium with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// If chromium or chromedriver is not installed, or does not start.
    pub async fn start() -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not installed: apt-get install chromium chromium-driver");
        let profile = tempfile::tempdir().expect("no temporary folder can be made");
        let user_data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--use-gl=angle",
            "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader",
            "--window-size=1000,640",
            &user_data,
        ];
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": arguments }),
        );
        let mut started = None;
        eventually("chromedriver opens a browser", PAGE_DEADLINE, async || {
            let mut builder = ClientBuilder::new(hyper_connector());
            builder.capabilities(capabilities.clone());
            started = builder
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
                .ok();
            started.is_some()
        })
        .await;
        let client = started.expect("chromedriver opens a browser");
        Self {
            client,
            driver,
            _profile: profile,
        }
    }

    /// The WebDriver client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens a page.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn open(&self, url: &str) {
        self.client
            .goto(url)
            .await
            .expect("the page cannot be opened");
    }

    /// Double-clicks a place of the page.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn double_click(&self, (x, y): (i64, i64)) {
        let pause = || PointerAction::Pause {
            duration: Duration::from_millis(60),
        };
        let down = || PointerAction::Down {
            button: MOUSE_BUTTON_LEFT,
        };
        let up = || PointerAction::Up {
            button: MOUSE_BUTTON_LEFT,
        };
        let (x, y) = (x as f64, y as f64);
        let mouse = MouseActions::new("mouse".to_owned())
            .then(PointerAction::MoveTo {
                duration: None,
                x,
                y,
            })
            .then(pause())
            .then(down())
            .then(up())
            .then(pause())
            .then(down())
            .then(up());
        self.client
            .perform_actions(mouse)
            .await
            .expect("no double click");
    }

    /// Types over what the focused text field holds, and presses Enter.
    ///
    /// # Panics
    /// If the browser refuses.
    pub async fn replace_text(&self, text: &str) {
        let press = |keys: KeyActions, value| {
            keys.then(KeyAction::Down { value })
                .then(KeyAction::Up { value })
        };
        let (control, enter) = (char::from(Key::Control), char::from(Key::Enter));
        let mut keys = KeyActions::new("keys".to_owned()).then(KeyAction::Down { value: control });
        keys = press(keys, 'a').then(KeyAction::Up { value: control });
        keys = text.chars().fold(keys, press);
        self.client
            .perform_actions(press(keys, enter))
            .await
            .expect("no keys");
    }

    /// Runs JavaScript in the page; `null` if it throws.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.client
            .execute(script, vec![])
            .await
            .unwrap_or(Value::Null)
    }

    /// Waits until a JavaScript expression is true in the page.
    ///
    /// # Panics
    /// If it never is; the page's picture is then kept as `name`.
    pub async fn wait_for(&self, name: &str, expression: &str, deadline: Duration) {
        let script = format!("return Boolean({expression});");
        let began = std::time::Instant::now();
        while self.evaluate(&script).await != Value::Bool(true) {
            if began.elapsed() > deadline {
                let picture = self.screenshot(name).await;
                let page = self
                    .evaluate("return document.body.innerText.slice(0, 2000);")
                    .await;
                panic!(
                    "{expression} is not true; see {}: {page}",
                    picture.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Keeps a picture of the page in `e2e/artifacts/`.
    ///
    /// # Panics
    /// If there is none to be had.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self
            .client
            .screenshot()
            .await
            .expect("no picture of the page");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts");
        std::fs::create_dir_all(&folder).expect("e2e/artifacts cannot be made");
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, picture).expect("the picture cannot be written");
        path
    }

    /// Closes it in order.
    pub async fn close(mut self) {
        drop(self.client.clone().close().await);
        self.kill();
    }

    fn kill(&mut self) {
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.kill();
    }
}

fn hyper_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}
