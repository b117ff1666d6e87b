//! The core against the small world.

mod alerts;
mod ancestor;
mod attempts;
mod basics;
mod bugs;
mod people;
mod property;
mod restarts;
mod sending;
mod storage;
pub(crate) mod store;
mod updates;
