//! Words on standard error.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to standard error, if that can be written. `eprintln!` panics where it can't: a shim's is a file on the disk that
/// may be full, and the shim would end with the outcome of its task.
pub(crate) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
