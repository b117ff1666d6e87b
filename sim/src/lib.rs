//! The world around the daemon, for tests, demos and simulations.
//!
//! [`botapi`] is a Bot API server of our own, [`terminal`] a chat in front of it; [`disk`] is a simulated disk with SQLite
//! on it ([`vfs`]), and [`world`] puts the daemon between all of them. Nothing in here is part of what runs in production,
//! and nothing in production may depend on it.

pub mod acts;
pub mod botapi;
pub mod chronicle;
pub mod control;
pub mod coverage;
pub mod crash;
pub mod digest;
pub mod disk;
pub mod evidence;
pub mod expect;
pub mod fault;
mod lives;
pub mod moment;
pub mod people;
pub mod picture;
pub mod probe;
pub mod property;
mod rest;
pub mod run;
pub mod scenario;
pub mod shrink;
pub mod terminal;
pub mod trace;
pub mod vfs;
mod watch;
pub mod world;
