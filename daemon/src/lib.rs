//! Mainstay: a single-node control plane for heavy tasks.

pub mod attempt;
pub mod id;
pub mod ports;
pub mod real;
