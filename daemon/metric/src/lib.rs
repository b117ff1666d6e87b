//! Gate lines and KPIs: what is counted, from which evidence, and when it is enough.
//!
//! [`ledger`] is the evidence, line by line: what happened, told by whoever saw it from outside the daemon (a simulated world,
//! a worker's own book, a probe), or, of production, by the record. [`scorecard`] is what comes of it. Everything between
//! them is a pure function: the simulation, `mainstay metrics` and `cargo xtask gate` share it, and whoever verifies a
//! bundle runs it again.

pub mod ledger;
pub mod scorecard;
