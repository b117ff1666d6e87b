//! The adapters: the only places that name SQL, HTTP, processes, files or clocks.
pub mod store;

mod cgroup;
mod folder;
mod logfile;
mod observe;
mod process;
pub mod runner;
pub mod shim;
mod spawn;
mod supervise;
mod sys;
mod watch;
