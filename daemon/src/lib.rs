//! Mainstay: a single-node control plane for heavy tasks.
//!
//! Reading order: [`task`] is the life cycle; [`run`] is the loop that everything passes through; [`input`], [`decide`],
//! [`plan`] and [`perform`] are its stations; [`event`] is what goes on record and [`real::store`] keeps it. [`command`]
//! is what people can say, [`report`] what they are told, [`policy`] every limit. [`ports`] are the seams to the world,
//! [`real`] the world. What you will not find: a second path for recovery, a cache of tasks, a detached task, a clock or
//! random number outside the ports.

// They panic where nothing can be written; `real::complain` and `cli::print` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod anomaly;
pub mod attempt;
pub mod cli;
pub mod command;
pub mod config;
pub mod decide;
pub mod event;
pub mod exit;
pub mod hex;
pub mod id;
pub mod input;
pub mod measured;
pub mod offline;
pub mod outage;
pub mod perform;
pub mod plan;
pub mod policy;
pub mod poll;
pub mod ports;
pub mod real;
pub mod redact;
pub mod release;
pub mod report;
pub mod run;
pub mod starts;
pub mod task;
pub mod view;
