//! Whole gates of a small repository with made-up suites, which take no time: parts, merging, resuming, verifying; and every
//! way of tampering that [`tamper`] knows.

mod parts;
mod small;
mod tamper;
