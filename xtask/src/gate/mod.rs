//! `cargo xtask gate`: runs everything that decides about a release, and writes an evidence bundle from which alone ship or
//! don't-ship follows.
//!
//! Reading order: [`suites`] is what is run, [`plan`] and [`execute`] how, [`raw`] and [`layout`] what is left of it,
//! [`finish`] makes a bundle of that, [`merge`] one of several parts, and [`verify`] believes none of it.
//!
//! No verdict is made here: it is computed by `mainstay-metric` from the lines of a bundle, by the gate and by a verifier
//! alike. Nothing here knows the daemon; suites start it, or the simulator, as processes.

mod attempts;
mod checkout;
mod ended;
mod execute;
mod head;
mod layout;
mod machine;
mod manifest;
mod plan;
mod policy;
mod progress;
mod raw;
mod seeds;
mod shape;
mod shard;
mod sign;
mod site;
mod suites;
