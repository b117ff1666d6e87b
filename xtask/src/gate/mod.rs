//! The gate.

#[cfg(test)]
mod fixture;
mod probes;
mod report;
mod seen;
