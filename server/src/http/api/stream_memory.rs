//! What recent streams were sent: enough to go on from there after a lost connection.
//!
//! To be sent a delta, a client must say which rows it holds. The reader of an event stream can send back only one
//! short text, the id of the last event it saw, so the server remembers the rows' keys for it, within bounds.
//! What it has forgotten, or another server sent, is answered with a snapshot that says so.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{OpenWindow, Resume, RowOp, Value, Version};
use tokio::time::Instant;

use crate::limits::{STREAM_MEMORY_BYTES_MAX, STREAM_MEMORY_TIME, STREAM_STATES_MAX};

/// A stream's number; it cannot be guessed.
pub type StreamId = u128;

/// The keys of a window's rows, in order.
pub type Keys = Arc<[Arc<[Value]>]>;

/// An event of a stream, as its `id` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The stream.
    pub stream: StreamId,
    /// Which of its events, from 1.
    pub event: u64,
}

impl EventId {
    /// As the event carries it.
    pub fn write(self) -> String {
        format!("{:032x}-{}", self.stream, self.event)
    }

    /// An id that a client sent back; `None` if it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let (stream, event) = text.split_once('-')?;
        let is_plain = stream.len() == 32
            && stream.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !event.is_empty()
            && event.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then_some(())?;
        Some(Self {
            stream: StreamId::from_str_radix(stream, 16).ok()?,
            event: event.parse().ok()?,
        })
    }
}

/// What a stream is of: only the same request can go on from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The window, as it was asked for first.
    pub open: OpenWindow,
    /// The table's columns at that time.
    pub layout: u64,
}

/// What a window showed after an event.
#[derive(Clone, Debug)]
pub struct State {
    /// Which event.
    pub event: u64,
    /// The version.
    pub version: Version,
    /// The position of the first row.
    pub start: u64,
    /// The rows.
    pub keys: Keys,
}

impl State {
    /// The window as it is to be opened again.
    pub fn resume(&self) -> Resume {
        Resume {
            version: self.version.clone(),
            keys: self.keys.iter().map(|key| key.to_vec()).collect(),
        }
    }
}

#[derive(Debug)]
struct Remembered {
    asked: Asked,
    states: VecDeque<State>,
    bytes: usize,
    since: Instant,
}

/// What recent streams were sent.
#[derive(Debug, Default)]
pub struct StreamMemory(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    streams: HashMap<StreamId, Remembered>,
    bytes: usize,
}

impl StreamMemory {
    /// Remembers what a stream's window shows now.
    pub fn record(&self, stream: StreamId, asked: &Asked, state: State) {
        let mut all = self.lock();
        let now = Instant::now();
        let known = all.streams.remove(&stream).filter(|it| it.asked == *asked);
        let mut known = known.unwrap_or_else(|| Remembered {
            asked: asked.clone(),
            states: VecDeque::new(),
            bytes: 0,
            since: now,
        });
        all.bytes -= known.bytes;
        known.since = now;
        known.states.push_back(state);
        if known.states.len() > STREAM_STATES_MAX {
            known.states.pop_front();
        }
        known.bytes = bytes(&known.states);
        all.bytes += known.bytes;
        all.streams.insert(stream, known);
        all.forget(now);
    }

    /// What the stream's window showed after this event; `None` if that is forgotten, or was of
    /// another request.
    pub fn find(&self, id: EventId, asked: &Asked) -> Option<State> {
        let all = self.lock();
        let known = all.streams.get(&id.stream)?;
        let state = known.states.iter().find(|state| state.event == id.event)?;
        (known.asked == *asked).then(|| state.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        // Nothing under the lock panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// Forgets what is old, and beyond the bound what was sent longest ago.
    fn forget(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.streams.retain(|_, stream| {
            let keep = now.duration_since(stream.since) < STREAM_MEMORY_TIME;
            *bytes -= if keep { 0 } else { stream.bytes };
            keep
        });
        while self.bytes > STREAM_MEMORY_BYTES_MAX {
            let oldest = self.streams.iter().min_by_key(|(_, stream)| stream.since);
            let Some((&oldest, _)) = oldest else { return };
            if let Some(gone) = self.streams.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

/// Memory that states hold, near enough; lists that neighbours share count once.
fn bytes(states: &VecDeque<State>) -> usize {
    let mut total = 0;
    let mut last: Option<&Keys> = None;
    for state in states {
        total += size_of::<State>() + state.version.0.len();
        if last.is_none_or(|last| !Arc::ptr_eq(last, &state.keys)) {
            let key = |key: &Arc<[Value]>| {
                let values: usize = key.iter().map(Value::heap_bytes).sum();
                size_of::<Arc<[Value]>>() + values
            };
            total += state.keys.iter().map(key).sum::<usize>();
        }
        last = Some(&state.keys);
    }
    total
}

/// The keys after an update of a window with these keys.
pub fn keys_after(before: &Keys, operations: &[RowOp]) -> Keys {
    let place = |from: u32| usize::try_from(from).unwrap_or(usize::MAX);
    let mut after: Vec<Arc<[Value]>> = Vec::with_capacity(before.len());
    for operation in operations {
        match operation {
            RowOp::Keep { from, count } => {
                after.extend(
                    before
                        .iter()
                        .skip(place(*from))
                        .take(place(*count))
                        .cloned(),
                );
            }
            RowOp::Patch { from, .. } => after.extend(before.get(place(*from)).cloned()),
            RowOp::Row(row) => after.push(row.key.as_slice().into()),
        }
    }
    let is_same = after.len() == before.len()
        && after
            .iter()
            .zip(before.iter())
            .all(|(a, b)| Arc::ptr_eq(a, b));
    if is_same {
        before.clone()
    } else {
        after.into()
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Row, ViewSpec};

    use super::*;

    fn asked(limit: u32) -> Asked {
        let open = OpenWindow {
            window: 1,
            generation: 0,
            view: ViewSpec::table("t"),
            columns: Vec::new(),
            start: 0,
            count: limit,
            from_end: false,
            resume: None,
            allow_expensive: false,
        };
        Asked { open, layout: 7 }
    }

    fn state(event: u64, text: &str) -> State {
        let row = RowOp::Row(Row {
            key: vec![Value::text(text)],
            cells: Vec::new(),
        });
        State {
            event,
            version: Version(String::new()),
            start: 0,
            keys: keys_after(&Keys::from([]), &[row]),
        }
    }

    #[test]
    fn ids_are_read_back_and_nothing_else_is() {
        let id = EventId {
            stream: 0xab,
            event: 12,
        };
        assert_eq!(EventId::read(&id.write()), Some(id));
        let long = format!("{}-{}", "0".repeat(32), "9".repeat(40));
        for text in [
            "",
            "-",
            "x",
            "ab-12",
            "+00000000000000000000000000000ab-1",
            &long,
        ] {
            assert_eq!(EventId::read(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_same_request_goes_on() {
        let memory = StreamMemory::default();
        memory.record(1, &asked(10), state(1, "a"));
        let id = |stream, event| EventId { stream, event };
        assert!(memory.find(id(1, 1), &asked(10)).is_some());
        assert!(memory.find(id(1, 1), &asked(11)).is_none());
        assert!(memory.find(id(1, 2), &asked(10)).is_none());
        assert!(memory.find(id(2, 1), &asked(10)).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let memory = StreamMemory::default();
        let large = "x".repeat(STREAM_MEMORY_BYTES_MAX / 100);
        for stream in 0..150 {
            memory.record(stream, &asked(1), state(1, &large));
            let bytes = memory.lock().bytes;
            assert!(bytes <= STREAM_MEMORY_BYTES_MAX, "{bytes}");
        }
        let id = |stream| EventId { stream, event: 1 };
        assert!(memory.find(id(0), &asked(1)).is_none());
        assert!(memory.find(id(149), &asked(1)).is_some());
        for event in 1..=1_000 {
            memory.record(149, &asked(1), state(event, "a"));
        }
        let all = memory.lock();
        assert_eq!(all.streams[&149].states.len(), STREAM_STATES_MAX);
        let sum: usize = all.streams.values().map(|stream| stream.bytes).sum();
        assert_eq!(sum, all.bytes);
    }

    #[test]
    fn keys_follow_updates() {
        let row = |text: &str| {
            RowOp::Row(Row {
                key: vec![Value::text(text)],
                cells: Vec::new(),
            })
        };
        let keep = |from, count| RowOp::Keep { from, count };
        let patch = |from| RowOp::Patch {
            from,
            cells: Vec::new(),
        };
        let first = keys_after(&Keys::from([]), &[row("a"), row("b"), row("c")]);
        let same = keys_after(&first, &[keep(0, 1), patch(1), keep(2, 1)]);
        assert!(Arc::ptr_eq(&first, &same));
        let moved = keys_after(&first, &[row("z"), patch(2), keep(0, 1), keep(9, 9)]);
        let texts: Vec<String> = moved.iter().map(|key| key[0].to_string()).collect();
        assert_eq!(texts, ["z", "c", "a"]);
    }
}
