//! Filters as people type them: what is read prints as a text that reads the same.

use server::http::api::filter_text::{parse, print, shorthand};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(filter) = parse(text) {
        let printed = print(&filter);
        assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{printed}");
    }
    let (column, test) = text.split_once('=').unwrap_or(("price", text));
    if let Ok(filter) = shorthand(column, test) {
        let printed = print(&filter);
        assert_eq!(parse(&printed).as_ref(), Ok(&filter), "{printed}");
    }
}
