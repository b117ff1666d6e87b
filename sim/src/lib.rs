//! The world around the daemon, for tests, demos and simulations.
//!
//! So far it holds [`botapi`], a Bot API server of our own, [`terminal`], a chat in front of it, and a simulated [`disk`]
//! with SQLite on it ([`vfs`]). Nothing in here is part of what runs in production, and nothing in production may depend on
//! it.

pub mod botapi;
pub mod disk;
pub mod terminal;
pub mod vfs;
