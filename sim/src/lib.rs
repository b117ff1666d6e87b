//! The world around the daemon, for tests, demos and simulations.
//!
//! So far it holds [`botapi`], a Bot API server of our own, and [`terminal`], a chat in front of it. Nothing in here is part of what runs in production, and nothing
//! in production may depend on it.

pub mod botapi;
pub mod terminal;
