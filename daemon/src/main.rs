//! The program: a shim when it was started as one, else what the command line says.

fn main() -> std::process::ExitCode {
    // Before anything else: a shim shares nothing with the rest but the file it is in.
    mainstay::real::shim::dispatch().unwrap_or_else(mainstay::cli::main)
}
