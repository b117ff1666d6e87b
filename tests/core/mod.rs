//! The core against the small world.

mod alerts;
mod ancestor;
mod attempts;
mod basics;
mod bugs;
mod comfort;
mod measured;
mod people;
mod property;
mod restarts;
mod restored;
mod retention;
mod sending;
mod storage;
pub(crate) mod store;
mod story;
mod updates;
