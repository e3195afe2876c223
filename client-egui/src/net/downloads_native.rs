//! Files from the server, natively: streamed to a folder of the person's, on threads of their own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::download::{Download, DownloadId, DownloadState};
use super::limits::{DOWNLOAD_STEP_BYTES, DOWNLOADS_MAX, OPENING_MAX, PROBLEM_BYTES_MAX};

type Wake = Arc<dyn Fn() + Send + Sync>;

/// The files that are being saved, and what became of others.
pub struct Downloads {
    /// `host:port` of the server; or why nothing can be saved from it.
    server: Result<String, String>,
    folder: PathBuf,
    wake: Wake,
    last: u64,
    running: Vec<Running>,
    list: Vec<Download>,
}

struct Running {
    id: DownloadId,
    state: watch::Receiver<DownloadState>,
    /// Dropped to stop it.
    _alive: oneshot::Sender<()>,
}

impl Downloads {
    /// Saves files of the server whose socket is at `url` (`ws://…`) in the person's folder for that. `wake`
    /// is called, from any thread, when [`poll`](Self::poll) has something new.
    pub fn new(url: &str, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::into_folder(url, downloads_folder(), wake)
    }

    /// Saves them in another folder.
    pub fn into_folder(
        url: &str,
        folder: PathBuf,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            server: server_of(url),
            folder,
            wake: Arc::new(wake),
            last: 0,
            running: Vec::new(),
            list: Vec::new(),
        }
    }

    /// Starts to save what is at `path` of the server, as `name`, or a name like it that is free.
    pub fn start(&mut self, path: &str, name: &str) {
        self.last += 1;
        let id = DownloadId(self.last);
        let mut state = DownloadState::Running { bytes: 0 };
        match &self.server {
            Err(reason) => {
                let reason = reason.clone();
                state = DownloadState::Failed { reason };
            }
            Ok(_) if self.running.len() >= DOWNLOADS_MAX => {
                let reason = "other files are still being saved; wait for one, or cancel it";
                let reason = reason.to_owned();
                state = DownloadState::Failed { reason };
            }
            Ok(server) => {
                let job = Job {
                    server: server.clone(),
                    path: path.to_owned(),
                    folder: self.folder.clone(),
                    name: name.to_owned(),
                };
                match job.spawn(id, Arc::clone(&self.wake)) {
                    Ok(running) => self.running.push(running),
                    Err(error) => {
                        let reason = format!("no thread for it: {error}");
                        state = DownloadState::Failed { reason };
                    }
                }
            }
        }
        let name = name.to_owned();
        self.list.push(Download { id, name, state });
    }

    /// Takes in how far they are.
    pub fn poll(&mut self) {
        for running in &mut self.running {
            let state = running.state.borrow_and_update().clone();
            if let Some(download) = self.list.iter_mut().find(|one| one.id == running.id) {
                download.state = state;
            }
        }
        let list = &self.list;
        let is_running = |id: DownloadId| {
            list.iter()
                .any(|one| one.id == id && matches!(one.state, DownloadState::Running { .. }))
        };
        self.running.retain(|running| is_running(running.id));
    }

    /// The files that are being saved, and those that were, until they are dismissed.
    pub fn list(&self) -> &[Download] {
        &self.list
    }

    /// Stops one that is being saved, and forgets it. Nothing of it is left.
    pub fn dismiss(&mut self, id: DownloadId) {
        self.running.retain(|running| running.id != id);
        self.list.retain(|download| download.id != id);
    }
}

/// `ws://host:port/ws` as `host:port`.
fn server_of(url: &str) -> Result<String, String> {
    let Some(rest) = url.strip_prefix("ws://") else {
        return Err(
            "this viewer saves files over plain connections only; open the server’s \
                    page in a browser and save it there"
                .to_owned(),
        );
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let after_address = authority.rsplit(']').next().unwrap_or_default();
    if after_address.contains(':') {
        Ok(authority.to_owned())
    } else {
        Ok(format!("{authority}:80"))
    }
}

/// Where a person looks for saved files.
fn downloads_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("HOME").or_else(|| variable("USERPROFILE"));
    let candidates = [
        variable("XDG_DOWNLOAD_DIR"),
        home.as_ref().map(|home| home.join("Downloads")),
        home,
    ];
    let existing = candidates.into_iter().flatten().find(|path| path.is_dir());
    existing.unwrap_or_else(std::env::temp_dir)
}

/// One file to save.
struct Job {
    server: String,
    path: String,
    folder: PathBuf,
    name: String,
}

impl Job {
    fn spawn(self, id: DownloadId, wake: Wake) -> std::io::Result<Running> {
        let (sender, state) = watch::channel(DownloadState::Running { bytes: 0 });
        let (alive, gone) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("rowcast-download".to_owned());
        thread.spawn(move || {
            let tell = |state: DownloadState| {
                // Nobody listens any more if it fails.
                let _ = sender.send(state);
                wake();
            };
            let outcome = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| format!("no runtime for it: {error}"))
                .and_then(|runtime| {
                    runtime.block_on(async {
                        tokio::select! {
                            outcome = self.save(&tell) => outcome,
                            _ = gone => Err("cancelled".to_owned()),
                        }
                    })
                });
            tell(match outcome {
                Ok((file, bytes)) => DownloadState::Saved { file, bytes },
                Err(reason) => DownloadState::Failed { reason },
            });
        })?;
        Ok(Running {
            id,
            state,
            _alive: alive,
        })
    }

    /// Saves the file; returns where it is and how large.
    async fn save(&self, tell: &impl Fn(DownloadState)) -> Result<(String, u64), String> {
        let answer = tokio::time::timeout(OPENING_MAX, self.ask()).await;
        let answer = answer.map_err(|_| "the server did not answer".to_owned())??;
        if answer.status() != StatusCode::OK {
            return Err(problem(answer).await);
        }
        let mut partial = Partial::create(&self.folder, &self.name)?;
        let mut body = answer.into_body();
        let (mut bytes, mut told) = (0, 0);
        while let Some(frame) = body.frame().await {
            // A server that fails half-way ends the answer without its last chunk: that is an error here.
            let frame = frame.map_err(|error| format!("the server broke off: {error}"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            partial.write(&data)?;
            bytes += data.len() as u64;
            if bytes - told >= DOWNLOAD_STEP_BYTES {
                told = bytes;
                tell(DownloadState::Running { bytes });
            }
        }
        Ok((partial.finish()?, bytes))
    }

    async fn ask(&self) -> Result<Response<Incoming>, String> {
        let socket = TcpStream::connect(&self.server).await;
        let socket = socket.map_err(|error| format!("cannot reach {}: {error}", self.server))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
        // Ends with the answer, or with this thread's runtime.
        tokio::spawn(connection);
        let request = Request::get(&self.path)
            .header(header::HOST, &self.server)
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await;
        answer.map_err(|error| error.to_string())
    }
}

/// Why the server refused, in its words.
async fn problem(answer: Response<Incoming>) -> String {
    let status = answer.status();
    let limited = http_body_util::Limited::new(answer.into_body(), PROBLEM_BYTES_MAX);
    let body = limited.collect().await.map(|body| body.to_bytes());
    let problem: Option<serde_json::Value> = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok());
    let detail = problem
        .as_ref()
        .and_then(|problem| problem["detail"].as_str());
    detail.map_or_else(|| format!("the server answered {status}"), str::to_owned)
}

/// A file that is not complete yet; it is gone if it never is.
struct Partial {
    file: Option<fs::File>,
    path: PathBuf,
    wanted: PathBuf,
}

impl Partial {
    fn create(folder: &Path, name: &str) -> Result<Self, String> {
        // Only a name: never a way to another folder.
        let name = name.replace(['/', '\\', '\0'], "_");
        let wanted = folder.join(&name);
        for number in 0..1_000_u32 {
            let path = folder.join(format!("{name}.{number}.part"));
            match fs::File::create_new(&path) {
                Ok(file) => {
                    return Ok(Self {
                        file: Some(file),
                        path,
                        wanted,
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(format!("cannot write in {}: {error}", folder.display()));
                }
            }
        }
        Err(format!("{} is full of unfinished files", folder.display()))
    }

    fn write(&mut self, data: &[u8]) -> Result<(), String> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_all(data)
            .map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }

    /// Gives it its name, or one like it that is free. Returns the path.
    fn finish(mut self) -> Result<String, String> {
        let failed = |error: std::io::Error| format!("cannot finish the file: {error}");
        if let Some(file) = self.file.take() {
            file.sync_all().map_err(failed)?;
        }
        let stem = self.wanted.file_stem().unwrap_or_default().to_owned();
        let extension = self.wanted.extension().unwrap_or_default().to_owned();
        for number in 1..10_000_u32 {
            let mut path = self.wanted.clone();
            if number > 1 {
                let name = format!("{} ({number})", stem.to_string_lossy());
                path.set_file_name(name + "." + &extension.to_string_lossy());
            }
            // A link fails if the name is taken; a rename would overwrite.
            match fs::hard_link(&self.path, &path) {
                Ok(()) => return Ok(path.display().to_string()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(_) if !path.exists() => {
                    fs::rename(&self.path, &path).map_err(failed)?;
                    return Ok(path.display().to_string());
                }
                Err(_) => {}
            }
        }
        Err("no name is free".to_owned())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It has another name by now, or is not wanted.
        let _ = fs::remove_file(&self.path);
    }
}
