//! What is asked over plain HTTP: the API for programs, the web viewer's files, and how the server is.

pub mod api;
pub mod encoding;
pub mod health;
pub mod origin;
pub mod problem;
pub mod security;
pub mod serve;
pub mod web_files;
