//! Which rows a block holds, by their primary keys alone.

use protocol::Value;

use crate::row::RowKey;

/// The primary keys of a block's rows, in no order of the view's: where no index serves a view's order, a block
/// is looked up row by row, and only the few rows looked at are put in order.
#[derive(Clone, Debug)]
pub enum KeySet {
    /// Keys of one integer, ascending: 8 bytes a row.
    Ints(Vec<i64>),
    /// Any other keys.
    Any(Vec<RowKey>),
}

impl KeySet {
    /// These keys.
    pub fn new(keys: Vec<RowKey>) -> Self {
        let ints: Option<Vec<i64>> = keys.iter().map(single_int).collect();
        match ints {
            Some(mut ints) => {
                ints.sort_unstable();
                ints.dedup();
                Self::Ints(ints)
            }
            None => Self::Any(keys),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(keys) => keys.len(),
            Self::Any(keys) => keys.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys.
    pub fn to_keys(&self) -> Vec<RowKey> {
        match self {
            Self::Ints(keys) => keys.iter().map(|&key| [Value::Int(key)].into()).collect(),
            Self::Any(keys) => keys.clone(),
        }
    }

    /// Adds a key, once.
    pub(crate) fn insert(&mut self, key: &RowKey) {
        match (&mut *self, single_int(key)) {
            (Self::Ints(keys), Some(key)) => {
                if let Err(at) = keys.binary_search(&key) {
                    keys.insert(at, key);
                }
            }
            (Self::Ints(_), None) => {
                let mut keys = self.to_keys();
                keys.push(key.clone());
                *self = Self::Any(keys);
            }
            (Self::Any(keys), _) => {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
        }
    }

    /// Takes a key out, if it is there.
    pub(crate) fn remove(&mut self, key: &RowKey) {
        match self {
            Self::Ints(keys) => {
                if let Some(key) = single_int(key)
                    && let Ok(at) = keys.binary_search(&key)
                {
                    keys.remove(at);
                }
            }
            Self::Any(keys) => keys.retain(|held| held != key),
        }
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Ints(keys) => keys.capacity() * size_of::<i64>(),
            Self::Any(keys) => {
                let each = |key: &RowKey| {
                    // The two counters of an `Arc`.
                    2 * size_of::<usize>() + key.iter().map(Value::heap_bytes).sum::<usize>()
                };
                keys.capacity() * size_of::<RowKey>() + keys.iter().map(each).sum::<usize>()
            }
        }
    }
}

fn single_int(key: &RowKey) -> Option<i64> {
    match **key {
        [Value::Int(key)] => Some(key),
        _ => None,
    }
}
