//! Filters as a person types them: `price > 10 and (name contains "x" or not brand is null)`.
//!
//! `operators` is the table of what can be asked, `parse` reads the text of the parameter `filter`,
//! `shorthand` reads `price=gt.10`, `print` writes a filter so that it reads back the same.
//! `docs/http-api.md` has the grammar.

pub mod operators;
pub mod parse;
pub mod print;
pub mod scan;
pub mod shorthand;

pub use parse::parse;
pub use print::print;
pub use scan::TextError;
pub use shorthand::shorthand;
