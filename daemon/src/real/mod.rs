//! The adapters: the only places that name SQL, HTTP, processes, files or clocks.

pub mod clock;
pub mod config_file;
pub mod control;
pub mod lock;
pub mod log;
pub mod token;
pub(crate) mod watched;
