//! A summary against a naive recount. (The history and the recount are those of the property test.)

#[path = "../../view-index/tests/summaries/history.rs"]
mod history;
#[path = "../../view-index/tests/summaries/play.rs"]
mod play;
#[path = "../../view-index/tests/summaries/recount.rs"]
mod recount;

use super::bytes::Bytes;

pub(crate) fn run(bytes: &[u8]) {
    play::play(&mut Bytes(bytes));
}
