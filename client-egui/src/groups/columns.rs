//! Which columns the groups have, and where.

use egui::Rangef;
use protocol::SummaryKey;

use crate::model::Summary;

/// Room for the sign that a group is open, in points.
pub(super) const CHEVRON: f32 = 28.0;

/// The columns of the groups: their keys, how many rows, the totals chosen.
pub(super) struct GroupColumns {
    pub(super) keys: Vec<Rangef>,
    /// First the number of rows.
    pub(super) values: Vec<Rangef>,
}

impl GroupColumns {
    /// Lays them out in `width` points: as wide as is good to read, narrower if there is no room.
    pub(super) fn new(summary: &Summary, width: f32) -> Self {
        let wanted_key = |key: &SummaryKey| if key.bounds.is_some() { 280.0 } else { 240.0 };
        let mut wanted: Vec<f32> = summary.keys().iter().map(wanted_key).collect();
        let keys = wanted.len();
        wanted.extend(
            summary.values().iter().enumerate().map(
                |(index, _)| {
                    if index == 0 { 110.0 } else { 170.0 }
                },
            ),
        );
        let room = (width - CHEVRON - crate::theme::size::SCROLLBAR).max(0.0);
        let sum: f32 = wanted.iter().sum();
        let scale = if sum > room { room / sum } else { 1.0 };
        let mut x = CHEVRON;
        let mut spans = wanted.into_iter().map(|wanted| {
            let start = x;
            x += wanted * scale;
            Rangef::new(start, x)
        });
        Self {
            keys: spans.by_ref().take(keys).collect(),
            values: spans.collect(),
        }
    }
}
