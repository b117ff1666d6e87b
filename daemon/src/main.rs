//! The binary `mainstay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: every task pays for what a shim does first.
    mainstay::real::shim::dispatch().unwrap_or(ExitCode::SUCCESS)
}
