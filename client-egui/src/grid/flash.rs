//! The tint of cells that have just changed.

use std::collections::HashMap;
use std::time::Duration;

use egui::Color32;
use protocol::{Column, Value};
use web_time::Instant;

use super::columns::is_right_aligned;
use crate::theme::{FLASH_SECONDS, Palette};

/// Remembers the numbers on the screen, to tell which way they changed.
#[derive(Debug, Default)]
pub(super) struct Flashes {
    numbers: HashMap<(Vec<Value>, usize), Tracked>,
    /// The newest frame; what was not on the screen in it is forgotten.
    frame: u64,
    /// Something is still fading.
    fading: bool,
}

#[derive(Clone, Copy, Debug)]
struct Tracked {
    value: f64,
    direction: Direction,
    frame: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    Unknown,
    Up,
    Down,
}

impl Flashes {
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }

    pub(super) fn begin_frame(&mut self) {
        self.frame += 1;
        self.fading = false;
    }

    /// Forgets what is no longer on the screen. Returns whether something is still fading, so that
    /// another frame is needed.
    pub(super) fn end_frame(&mut self) -> bool {
        let frame = self.frame;
        self.numbers.retain(|_, tracked| tracked.frame == frame);
        self.fading
    }

    /// The tint behind a cell, if it changed a moment ago.
    pub(super) fn tint(
        &mut self,
        cell: FlashingCell<'_>,
        now: Instant,
        palette: &Palette,
    ) -> Option<Color32> {
        let direction = self.direction(&cell);
        let strength = strength(now.saturating_duration_since(cell.changed_at?))?;
        self.fading = true;
        let color = match direction {
            Direction::Unknown => palette.accent,
            Direction::Up => palette.good,
            Direction::Down => palette.bad,
        };
        Some(palette.tint(color, strength))
    }

    /// The tint behind a whole row that was inserted a moment ago.
    pub(super) fn row_tint(
        &mut self,
        inserted_at: Option<Instant>,
        now: Instant,
        palette: &Palette,
    ) -> Option<Color32> {
        let strength = strength(now.saturating_duration_since(inserted_at?))?;
        self.fading = true;
        Some(palette.tint(palette.accent, strength * 0.6))
    }

    fn direction(&mut self, cell: &FlashingCell<'_>) -> Direction {
        if !is_right_aligned(cell.column.kind) {
            return Direction::Unknown;
        }
        let Some(value) = number(cell.value) else {
            return Direction::Unknown;
        };
        let first = Tracked {
            value,
            direction: Direction::Unknown,
            frame: self.frame,
        };
        let tracked = self
            .numbers
            .entry((cell.key.to_vec(), cell.index))
            .or_insert(first);
        tracked.frame = self.frame;
        if value != tracked.value {
            tracked.direction = if value > tracked.value {
                Direction::Up
            } else {
                Direction::Down
            };
            tracked.value = value;
        }
        tracked.direction
    }
}

/// A cell that may have just changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlashingCell<'a> {
    pub(super) key: &'a [Value],
    pub(super) index: usize,
    pub(super) column: &'a Column,
    pub(super) value: &'a Value,
    pub(super) changed_at: Option<Instant>,
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) => None,
    }
}

/// How strong a flash of this age is, from 1 down to 0; `None` once it is over.
fn strength(age: Duration) -> Option<f32> {
    let left = 1.0 - age.as_secs_f32() / FLASH_SECONDS;
    (left > 0.0).then(|| left * left.mul_add(-1.0, 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_fades_and_ends() {
        let at = |seconds: f32| strength(Duration::from_secs_f32(seconds));
        assert_eq!(at(0.0), Some(1.0));
        assert!(at(0.3) > at(0.6));
        assert_eq!(at(FLASH_SECONDS), None);
    }
}
