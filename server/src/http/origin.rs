//! Which web pages may talk to this server.
//!
//! Browsers let any page open a WebSocket to any address, so the server must say no. Two headers
//! decide: `Host`, since a hostile name may resolve to this machine (DNS rebinding), and `Origin`,
//! which a page cannot forge. Programs that are not browsers send no `Origin`.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// A web origin: scheme, host and port, as browsers write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    /// As written: `None` for the scheme's own.
    port: Option<u16>,
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin; one looks like https://rowcast.example or http://localhost:3000")]
pub struct NotAnOrigin(String);

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let refused = || NotAnOrigin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused());
        };
        let plain = matches!(scheme, "http" | "https")
            && !authority.as_str().contains('@')
            && !authority.host().is_empty()
            && !text.ends_with('/')
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        if !plain {
            return Err(refused());
        }
        let standard = if scheme == "https" { 443 } else { 80 };
        Ok(Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().filter(|&port| port != standard),
        })
    }
}

/// Which hosts and origins are served.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    allowed: Vec<Origin>,
    /// Whether other machines were meant to connect, by whatever address of this one.
    any_address: bool,
}

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The `Host` is none of ours.
    Host,
    /// The `Origin` is another web page's.
    Origin,
}

impl OriginPolicy {
    /// Allows the server's own pages and `allowed`. `listening` is the address it listens on.
    pub fn new(allowed: Vec<Origin>, listening: IpAddr) -> Self {
        Self {
            allowed,
            any_address: !listening.is_loopback(),
        }
    }

    /// Checks a request that may come from a page.
    ///
    /// # Errors
    /// If it comes to a name that is not this server's, or from a page that is not.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = self.host(headers).ok_or(Refusal::Host)?;
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        let origin: Option<Origin> = origin.to_str().ok().and_then(|text| text.parse().ok());
        match origin {
            Some(origin) if origins.next().is_none() && self.serves(&origin, &host) => Ok(()),
            _ => Err(Refusal::Origin),
        }
    }

    /// The request's `Host`, if it is one of this server's.
    pub fn host(&self, headers: &HeaderMap) -> Option<Authority> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host: Authority = hosts.next()?.to_str().ok()?.parse().ok()?;
        let name = host.host();
        let ours = is_loopback(name)
            // Only a name can be made to point here by somebody else.
            || (self.any_address && ip(name).is_some())
            || self.allowed.iter().any(|origin| origin.host.eq_ignore_ascii_case(name));
        (hosts.next().is_none() && !host.as_str().contains('@') && ours).then_some(host)
    }

    fn serves(&self, origin: &Origin, host: &Authority) -> bool {
        let name = host.host();
        // A page of this server's own: the same host, or both names of this machine.
        let own_name = origin.host.eq_ignore_ascii_case(name)
            || (is_loopback(&origin.host) && is_loopback(name));
        let standard = if origin.scheme == "https" { 443 } else { 80 };
        let own_port = origin.port == host.port_u16().filter(|&port| port != standard);
        (own_name && own_port) || self.allowed.contains(origin)
    }
}

/// Refuses what [`OriginPolicy::check`] does: for routes that give data to pages.
pub async fn guard(
    State(policy): State<std::sync::Arc<OriginPolicy>>,
    request: Request,
    next: Next,
) -> Response {
    let detail = match policy.check(request.headers()) {
        Ok(()) => return next.run(request).await,
        Err(Refusal::Host) => {
            "This server is not known by that host name. If it should be, start it with \
             --allowed-origin https://THAT-NAME."
        }
        Err(Refusal::Origin) => {
            "Pages of that origin may not use this server. If they should, start it with \
             --allowed-origin THAT-ORIGIN."
        }
    };
    tracing::debug!(
        host = ?request.headers().get(header::HOST),
        origin = ?request.headers().get(header::ORIGIN),
        "refused a request from another page"
    );
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ip(host).is_some_and(|ip| ip.is_loopback())
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &OriginPolicy, host: &str, origin: Option<&str>) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        policy.check(&headers)
    }

    fn policy(allowed: &[&str], listening: &str) -> OriginPolicy {
        let allowed = allowed
            .iter()
            .map(|origin| origin.parse().unwrap())
            .collect();
        OriginPolicy::new(allowed, listening.parse().unwrap())
    }

    #[test]
    fn own_pages_and_programs_are_served() {
        let policy = policy(&[], "127.0.0.1");
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "LOCALHOST:8080",
        ] {
            assert_eq!(check(&policy, host, None), Ok(()), "{host}");
            assert_eq!(
                check(&policy, host, Some(&format!("http://{host}"))),
                Ok(()),
                "{host}"
            );
        }
        let both_names = check(&policy, "127.0.0.1:8080", Some("http://localhost:8080"));
        assert_eq!(both_names, Ok(()));
    }

    #[test]
    fn other_pages_are_not() {
        let policy = policy(&[], "127.0.0.1");
        let others = [
            "https://evil.example",
            "null",
            "http://localhost:3000",
            "http://localhost",
            "http://localhost:8080.evil.example",
            "http://localhost:8080@evil.example",
            "http://localhost:8080/",
            "file://",
            "",
        ];
        for origin in others {
            let refused = check(&policy, "localhost:8080", Some(origin));
            assert_eq!(refused, Err(Refusal::Origin), "{origin}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example:8080",
            "10.0.0.7:8080",
            "a@b",
        ] {
            assert_eq!(check(&policy, host, None), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn allowed_origins_are_exact() {
        let policy = policy(&["https://good.example"], "127.0.0.1");
        assert_eq!(
            check(&policy, "good.example", Some("https://good.example")),
            Ok(())
        );
        assert_eq!(
            check(&policy, "localhost:8080", Some("https://good.example")),
            Ok(())
        );
        for origin in [
            "https://good.example.evil.com",
            "https://good.example:444",
            "https://x.good.example",
        ] {
            let refused = check(&policy, "localhost:8080", Some(origin));
            assert_eq!(refused, Err(Refusal::Origin), "{origin}");
        }
    }

    #[test]
    fn an_open_server_is_known_by_its_addresses_but_by_no_name() {
        let policy = policy(&[], "0.0.0.0");
        assert_eq!(
            check(&policy, "10.0.0.7:8080", Some("http://10.0.0.7:8080")),
            Ok(())
        );
        assert_eq!(
            check(&policy, "10.0.0.7:8080", Some("http://10.0.0.8:8080")),
            Err(Refusal::Origin)
        );
        assert_eq!(
            check(&policy, "rebound.example:8080", None),
            Err(Refusal::Host)
        );
    }
}
