//! The shim as a program of its own, beside `mainstay`: the same code, without TLS, SQLite and a runtime around it.
//!
//! A task's whole life pays for its shim's start, and a running task for its memory. This file is 0.8 MB instead of 13, of
//! which the loader corrects 3 pages of addresses instead of 50, and it does without what the standard library prepares for a
//! `main` of Rust (a look at /proc/self/maps, a handler for overflown stacks): together 250 us of 870. Where it is missing,
//! `mainstay` is its own shim.
#![no_main]
#![expect(unsafe_code, reason = "a C `main` has to have this very name; nothing else here has it")]

/// Arguments are taken from the C library, where the standard library finds them without its own `main`.
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: i32, _arguments: *const *const std::ffi::c_char) -> i32 {
    i32::from(mainstay::real::shim::program())
}
