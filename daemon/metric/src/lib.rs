//! Gate lines and KPIs: what is counted, from which evidence, and when it is enough.
//!
//! [`ledger`] is the evidence, line by line: what happened, told by whoever saw it from outside the daemon (a simulated world,
//! a worker's own book, a probe), or, of production, by the record. [`scorecard`] is what comes of it. Everything between
//! them is a pure function: the simulation, `mainstay metrics` and `cargo xtask gate` share it, and whoever verifies a
//! bundle runs it again.
//!
//! [`table`] has a row for each metric, and [`policy`] its text. A [`scorer::Scorer`] takes the lines; `fold` counts them and
//! `rule` judges the counts, with the bounds of [`stats`]. What is published are the texts of [`decimal`].
//!
//! It knows no clock, no file and no other part of this project.

pub mod decimal;
mod fold;
pub mod ledger;
pub mod limits;
pub mod policy;
pub mod properties;
mod rule;
pub mod scorecard;
pub mod scorer;
pub mod stats;
pub mod table;
