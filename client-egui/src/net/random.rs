//! The little randomness that jitter needs.

/// A random number from 0 to 1. Spread matters here, secrecy does not.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn unit() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Every `RandomState` has keys of its own.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A random number from 0 to 1. Spread matters here, secrecy does not.
#[cfg(target_arch = "wasm32")]
pub(super) fn unit() -> f64 {
    js_sys::Math::random()
}
