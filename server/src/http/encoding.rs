//! Which of a file's encodings a client gets.

use axum::http::{HeaderMap, header};

/// An encoding that files are kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentEncoding {
    /// Brotli, the smallest.
    Brotli,
    /// gzip.
    Gzip,
    /// As it is.
    Identity,
}

impl ContentEncoding {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// Its name in HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// What a file in it is called besides the original's name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Identity => "",
        }
    }

    /// The encodings that a client takes, in the order it would have them (its weights first, ours
    /// between equals). The last one is always [`ContentEncoding::Identity`]: a file is better sent
    /// plain than not at all.
    pub fn accepted(headers: &HeaderMap) -> Vec<Self> {
        let fields = headers.get_all(header::ACCEPT_ENCODING);
        let text: Vec<&str> = fields
            .iter()
            .filter_map(|field| field.to_str().ok())
            .collect();
        let text = text.join(",");
        let mut accepted: Vec<(Self, u16)> = Self::ALL
            .into_iter()
            .filter_map(|one| Some((one, weight(&text, one.name())?)))
            .filter(|&(one, weight)| weight > 0 && one != Self::Identity)
            .collect();
        accepted.sort_by_key(|&(_, weight)| std::cmp::Reverse(weight));
        let identity = weight(&text, "identity").unwrap_or(0);
        accepted.retain(|&(_, weight)| weight >= identity);
        accepted
            .into_iter()
            .map(|(one, _)| one)
            .chain([Self::Identity])
            .collect()
    }
}

/// The weight of an encoding in thousandths; `None` if the client does not speak of it.
fn weight(text: &str, name: &str) -> Option<u16> {
    let mut any = None;
    for part in text.split(',') {
        let mut parts = part.split(';');
        let coding = parts.next().unwrap_or_default().trim();
        let q = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let q: f32 = q.map_or(Some(1.0), |q| q.parse().ok()).unwrap_or(0.0);
        let thousandths = (q.clamp(0.0, 1.0) * 1_000.0) as u16;
        if coding.eq_ignore_ascii_case(name) {
            return Some(thousandths);
        }
        if coding == "*" && name != "identity" {
            any = Some(thousandths);
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::ContentEncoding::{self, Brotli, Gzip, Identity};
    use axum::http::{HeaderMap, header};

    fn accepted(text: &str) -> Vec<ContentEncoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
        ContentEncoding::accepted(&headers)
    }

    #[test]
    fn weights_decide() {
        assert_eq!(
            accepted("gzip, deflate, br, zstd"),
            [Brotli, Gzip, Identity]
        );
        assert_eq!(accepted("br;q=0.5, gzip;q=0.9"), [Gzip, Brotli, Identity]);
        assert_eq!(accepted("br;q=0, gzip"), [Gzip, Identity]);
        assert_eq!(accepted("*"), [Brotli, Gzip, Identity]);
        assert_eq!(accepted("*;q=0.2, br;q=0"), [Gzip, Identity]);
        assert_eq!(accepted("identity, br;q=0.1"), [Identity]);
        assert_eq!(accepted(""), [Identity]);
        assert_eq!(accepted("br;q=nonsense"), [Identity]);
        assert_eq!(ContentEncoding::accepted(&HeaderMap::new()), [Identity]);
    }
}
