//! A viewer without a screen, for tests and measurements.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Encoding, ViewSpec};
use tokio::sync::Notify;
use tokio::time::timeout;
use web_time::Instant;

use super::{Driver, Now};
use crate::model::{ConnectionState, Model, WindowCache, WindowId};

/// How long the first connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// Called with every single version of every window, as soon as it has been applied.
type Observer = Box<dyn FnMut(WindowId, &WindowCache, Instant) + Send>;

/// Why a headless viewer did not get where it was to go.
#[derive(Debug, thiserror::Error)]
pub enum HeadlessError {
    /// The condition did not come true in time.
    #[error("nothing of the kind within {waited:?}; the connection is {connection:?}, {windows}")]
    TimedOut {
        /// How long was waited.
        waited: Duration,
        /// How the connection stood in the end.
        connection: ConnectionState,
        /// What the windows showed in the end.
        windows: String,
    },
}

/// A viewer without a screen: the same link and the same model, driven by tokio. It takes in what
/// arrives only while it is awaited.
pub struct Headless {
    driver: Driver,
    woken: Arc<Notify>,
    observer: Option<Observer>,
}

impl Headless {
    /// Connects in the binary encoding and waits for the server's greeting.
    ///
    /// # Errors
    /// If there is none within 20 seconds.
    pub async fn connect(url: &str) -> Result<Self, HeadlessError> {
        Self::connect_with(url, Encoding::Binary).await
    }

    /// Like [`connect`](Self::connect), in the given encoding.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_with(url: &str, encoding: Encoding) -> Result<Self, HeadlessError> {
        let mut headless = Self::start(url, encoding);
        headless
            .wait_until(|model| model.hello().is_some(), CONNECT_MAX)
            .await?;
        Ok(headless)
    }

    /// Starts connecting, without waiting: for a server that is not there yet.
    pub fn start(url: &str, encoding: Encoding) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let driver = Driver::connect(url, encoding, Now::read(), move || wake.notify_one());
        Self {
            driver,
            woken,
            observer: None,
        }
    }

    /// Calls `observer` with every single version of every window, as soon as it has been applied.
    pub fn on_applied(
        &mut self,
        observer: impl FnMut(WindowId, &WindowCache, Instant) + Send + 'static,
    ) {
        self.observer = Some(Box::new(observer));
    }

    /// Opens a window on exactly these rows; see [`Model::open`].
    pub fn open(
        &mut self,
        view: ViewSpec,
        columns: Vec<String>,
        start: u64,
        count: u32,
    ) -> WindowId {
        let window = self.driver.model_mut().open(view, columns, start, count);
        self.pump();
        window
    }

    /// What the viewer knows.
    pub fn model(&self) -> &Model {
        self.driver.model()
    }

    /// Does something as a person would, and sends what it asks for.
    pub fn act<T>(&mut self, action: impl FnOnce(&mut Model, Instant) -> T) -> T {
        let result = action(self.driver.model_mut(), Instant::now());
        self.pump();
        result
    }

    /// Runs until the condition is true of the model; it is asked after every batch of events.
    ///
    /// # Errors
    /// If it is not true within `patience`.
    pub async fn wait_until(
        &mut self,
        mut condition: impl FnMut(&Model) -> bool,
        patience: Duration,
    ) -> Result<(), HeadlessError> {
        let give_up_at = Instant::now() + patience;
        loop {
            let next = self.pump();
            if condition(self.driver.model()) {
                return Ok(());
            }
            let now = Instant::now();
            if give_up_at <= now {
                return Err(self.timed_out(patience));
            }
            let pause = next.min(give_up_at).saturating_duration_since(now);
            // Elapsed or woken: either way it is time to look again.
            let _ = timeout(pause, self.woken.notified()).await;
        }
    }

    /// Runs for as long as it is awaited; for tests that watch through
    /// [`on_applied`](Self::on_applied).
    pub async fn run(&mut self) -> ! {
        loop {
            let pause = self.pump().saturating_duration_since(Instant::now());
            // Elapsed or woken: either way it is time to look again.
            let _ = timeout(pause, self.woken.notified()).await;
        }
    }

    /// Takes in what has arrived, without waiting. Returns when to do so again even if nothing wakes.
    pub fn pump(&mut self) -> Instant {
        let observer = &mut self.observer;
        self.driver.pump_with(Now::read(), |id, model| {
            if let (Some(observer), Some(window)) = (observer.as_mut(), model.window(id)) {
                observer(id, window.cache(), Instant::now());
            }
        })
    }

    fn timed_out(&self, waited: Duration) -> HeadlessError {
        let model = self.driver.model();
        let describe = |(id, window): (WindowId, &crate::model::Window)| {
            let cache = window.cache();
            format!(
                "{id:?}: {} rows from {} of {:?}, version {:?}, error {:?}",
                cache.rows().len(),
                cache.start(),
                cache.total(),
                cache.version(),
                window.error(),
            )
        };
        let windows: Vec<String> = model.windows().map(describe).collect();
        HeadlessError::TimedOut {
            waited,
            connection: model.connection().clone(),
            windows: windows.join("; "),
        }
    }
}
