//! Whole gates of a small repository with made-up suites, which take no time: parts, merging, resuming, verifying; and every
//! way of tampering that [`ways`] knows.

mod changes;
mod parts;
mod small;
mod tamper;
mod ways;
