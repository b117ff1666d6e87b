//! Mainstay: a single-node control plane for heavy tasks.

pub mod attempt;
pub mod command;
pub mod config;
pub mod exit;
pub mod id;
pub mod input;
pub mod perform;
pub mod plan;
pub mod policy;
pub mod poll;
pub mod ports;
pub mod real;
pub mod report;
pub mod run;
pub mod task;
pub mod view;
