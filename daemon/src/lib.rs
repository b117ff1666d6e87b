//! Mainstay: a single-node control plane for heavy tasks.

pub mod attempt;
pub mod command;
pub mod config;
pub mod id;
pub mod policy;
pub mod ports;
pub mod real;
pub mod task;
