//! One test binary for everything that is tested from outside a single module.
//!
//! `contract` says what every implementation of a port must do, as cases; `real` runs them on the real adapters, together with
//! what concerns those alone.

#[macro_use]
mod contract;
mod real;
