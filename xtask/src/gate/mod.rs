//! The gate.

mod probes;
mod report;
mod seen;
