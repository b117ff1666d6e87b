//! The adapters: the only places that name SQL, HTTP, processes, files or clocks.

pub mod clock;
pub mod control;
pub(crate) mod watched;
