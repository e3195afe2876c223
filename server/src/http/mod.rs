//! What is asked over plain HTTP: the web viewer's files, and how the server is.

pub mod encoding;
pub mod health;
pub mod origin;
pub mod problem;
pub mod security;
pub mod serve;
pub mod web_files;
