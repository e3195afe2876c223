//! What a browser calls the file.

use axum::http::HeaderValue;

/// Characters of a name; file systems allow 255 bytes.
const NAME_CHARS_MAX: usize = 60;

/// `Content-Disposition` for a file called after a table: first a name that everything understands, then, for
/// what understands RFC 8187, the table's own.
pub fn content_disposition(table: &str, extension: &str) -> HeaderValue {
    let name = clean(table);
    let ascii: String = name
        .chars()
        .map(|char| if char.is_ascii() { char } else { '_' })
        .collect();
    let mut value = format!("attachment; filename=\"{ascii}.{extension}\"");
    if ascii != name {
        value.push_str(&format!(
            "; filename*=UTF-8''{}.{extension}",
            percent(&name)
        ));
    }
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// The name without what means something to a file system, a shell or a header, or turns the direction of
/// writing.
fn clean(table: &str) -> String {
    let is_kept = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.' | ' ');
    let name: String = table
        .chars()
        .map(|char| if is_kept(char) { char } else { '_' })
        .take(NAME_CHARS_MAX)
        .collect();
    let name = name.trim_matches(['.', ' ']);
    // Old systems give these names to devices, whatever the extension.
    let is_device = ["con", "prn", "aux", "nul"].contains(&name.to_ascii_lowercase().as_str());
    match name {
        "" => "export".to_owned(),
        name if is_device => format!("{name}_"),
        name => name.to_owned(),
    }
}

fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::content_disposition;

    fn named(table: &str) -> String {
        let header = content_disposition(table, "csv");
        header.to_str().unwrap().to_owned()
    }

    #[test]
    fn names_are_harmless() {
        assert_eq!(named("products"), "attachment; filename=\"products.csv\"");
        assert_eq!(
            named("../etc/pass\"wd\r\nX: y"),
            "attachment; filename=\"_etc_pass_wd__X_ y.csv\""
        );
        assert_eq!(named("\u{202e}gnp"), "attachment; filename=\"_gnp.csv\"");
        assert_eq!(named("..."), "attachment; filename=\"export.csv\"");
        assert_eq!(named("NUL"), "attachment; filename=\"NUL_.csv\"");
    }

    #[test]
    fn other_scripts_are_kept_for_those_who_read_them() {
        assert_eq!(
            named("Größe 表"),
            "attachment; filename=\"Gr__e _.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E8%A1%A8.csv"
        );
    }
}
