//! The web viewer's files, compressed beforehand.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::encoding::ContentEncoding;
use super::problem::Problem;
use crate::limits::{WEB_FILE_BYTES_MAX, WEB_FILES_MAX};

/// What is shown at `/` while the viewer is not built.
const NOT_BUILT: &str = include_str!("not_built.html");

/// A folder of files to serve. It may change, or appear, while the server runs.
#[derive(Debug)]
pub struct WebFiles {
    folder: PathBuf,
    cache: Mutex<HashMap<PathBuf, Arc<Cached>>>,
}

/// A file's content, and what tells that it is not the file's any more.
#[derive(Debug)]
struct Cached {
    modified: SystemTime,
    length: u64,
    body: Bytes,
    etag: HeaderValue,
}

impl WebFiles {
    /// Serves what is in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            cache: Mutex::default(),
        }
    }

    /// Answers a request that no route took.
    pub async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
        let not_found = || {
            let detail = "There is nothing at this address. The viewer is at /.";
            Problem::new(StatusCode::NOT_FOUND, detail).into_response()
        };
        let Some(name) = file_name(uri.path()) else {
            return not_found();
        };
        let found = match self.find(&name, &ContentEncoding::accepted(headers)).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, file = name, "a file of the web viewer cannot be read");
                let detail = "A file of the web viewer cannot be read; the server's log says why.";
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
            }
        };
        let readable = *method == Method::GET || *method == Method::HEAD;
        match found {
            Some((encoding, file)) if readable => file.response(&name, encoding, method, headers),
            None if name == "index.html" && readable => not_built(),
            None if name != "index.html" => not_found(),
            _ => {
                let detail = "Files can only be read.";
                let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
                ([(header::ALLOW, "GET, HEAD")], problem).into_response()
            }
        }
    }

    /// The best encoding of a file that there is.
    async fn find(
        &self,
        name: &str,
        accepted: &[ContentEncoding],
    ) -> std::io::Result<Option<(ContentEncoding, Arc<Cached>)>> {
        let Some(original) = self.modified(&self.folder.join(name)).await? else {
            return Ok(None);
        };
        for &encoding in accepted {
            let path = self.folder.join(format!("{name}{}", encoding.suffix()));
            match self.modified(&path).await? {
                // One that is older than the original was made of something else. (`brotli` copies
                // the time in whole seconds.)
                Some(modified) if modified + Duration::from_secs(1) > original => {
                    return Ok(Some((encoding, self.load(path).await?)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// When a file was modified, if there is one; links out of the folder are no files of ours.
    async fn modified(&self, path: &Path) -> std::io::Result<Option<SystemTime>> {
        match tokio::fs::symlink_metadata(path).await {
            Ok(meta) if meta.is_file() => meta.modified().map(Some),
            Ok(_) => Ok(None),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::InvalidFilename => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn load(&self, path: PathBuf) -> std::io::Result<Arc<Cached>> {
        let meta = tokio::fs::metadata(&path).await?;
        let (modified, length) = (meta.modified()?, meta.len());
        if length > WEB_FILE_BYTES_MAX {
            return Err(std::io::Error::new(
                ErrorKind::FileTooLarge,
                "larger than is served",
            ));
        }
        let cached = self
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&path)
            .cloned();
        if let Some(cached) = cached
            && cached.modified == modified
            && cached.length == length
        {
            return Ok(cached);
        }
        let body = Bytes::from(tokio::fs::read(&path).await?);
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}-{:x}\"", hasher.finish(), body.len());
        let etag = HeaderValue::try_from(etag).map_err(std::io::Error::other)?;
        let file = Arc::new(Cached {
            modified,
            length,
            body,
            etag,
        });
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= WEB_FILES_MAX {
            cache.clear();
        }
        cache.insert(path, file.clone());
        Ok(file)
    }
}

impl Cached {
    fn response(
        &self,
        name: &str,
        encoding: ContentEncoding,
        method: &Method,
        request: &HeaderMap,
    ) -> Response {
        let mut response = StatusCode::OK.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(caching(name)),
        );
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if has_etag(request, &self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, mime(name));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        if encoding != ContentEncoding::Identity {
            headers.insert(
                header::CONTENT_ENCODING,
                HeaderValue::from_static(encoding.name()),
            );
        }
        if *method == Method::GET {
            *response.body_mut() = Body::from(self.body.clone());
        }
        response
    }
}

/// The file that a path names. Only plain names are taken: nothing that could leave the folder, is
/// hidden, or reads differently once decoded.
fn file_name(path: &str) -> Option<String> {
    let name = path.strip_prefix('/')?;
    if name.is_empty() {
        return Some("index.html".to_owned());
    }
    let plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
    };
    name.split('/').all(plain).then(|| name.to_owned())
}

/// Files whose name holds a hash of their content never change; others are asked for again.
fn caching(name: &str) -> &'static str {
    let stem = name.split('.').next().unwrap_or_default();
    let hash = stem.rsplit('-').next().unwrap_or_default();
    if hash.len() >= 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn mime(name: &str) -> HeaderValue {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let text = match kind.type_() {
        mime_guess::mime::TEXT => format!("{}; charset=utf-8", kind.essence_str()),
        _ => kind.essence_str().to_owned(),
    };
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}

fn has_etag(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let listed = request.get_all(header::IF_NONE_MATCH).iter();
    listed
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| {
            let one = one.trim();
            one == "*" || one.trim_start_matches("W/").as_bytes() == etag.as_bytes()
        })
}

fn not_built() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (
        StatusCode::NOT_FOUND,
        headers,
        axum::response::Html(NOT_BUILT),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::{caching, file_name, mime};

    #[test]
    fn only_plain_names_are_files() {
        assert_eq!(file_name("/").as_deref(), Some("index.html"));
        assert_eq!(
            file_name("/pkg/app_bg.wasm").as_deref(),
            Some("pkg/app_bg.wasm")
        );
        let tricks = [
            "/../Cargo.toml",
            "/a/../b",
            "/%2e%2e/b",
            "/.git/config",
            "//etc/passwd",
            "/a//b",
            "/a/",
            "/a\\b",
            "/a%00",
            "/a b",
            "",
            "a",
            "/~root",
            "/C:/x",
        ];
        for path in tricks {
            assert_eq!(file_name(path), None, "{path}");
        }
    }

    #[test]
    fn kinds_and_caching() {
        assert_eq!(mime("a.wasm"), "application/wasm");
        assert_eq!(mime("a.html"), "text/html; charset=utf-8");
        assert_eq!(mime("a.js"), "text/javascript; charset=utf-8");
        assert!(caching("viewer-0123456789abcdef.wasm").contains("immutable"));
        assert_eq!(caching("index.html"), "no-cache");
        assert_eq!(caching("rowcast-viewer.js"), "no-cache");
    }
}
