//! What is asked over plain HTTP: the API for programs, whole views as files, the web viewer's files, and how
//! the server is.

pub mod api;
pub mod encoding;
pub mod export;
pub mod health;
pub mod origin;
pub mod problem;
pub mod security;
pub mod serve;
pub mod web_files;
