//! The core against the small world.

mod basics;
