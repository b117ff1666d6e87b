//! One test binary for everything that is tested from outside a single module.
//!
//! `contract` says what every implementation of a port must do, as cases; `real` runs them on the real adapters, together with
//! what concerns those alone. `core` runs the daemon's core in `world`, a small world in memory. `system` runs the whole
//! program.

#[macro_use]
mod contract;
mod core;
mod real;
mod system;
mod world;
