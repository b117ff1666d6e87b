//! Mainstay: a single-node control plane for heavy tasks.

pub mod attempt;
pub mod cli;
pub mod command;
pub mod config;
pub mod exit;
pub mod id;
pub mod offline;
pub mod policy;
pub mod poll;
pub mod ports;
pub mod real;
pub mod run;
pub mod task;
pub mod view;
