//! The Bot API server from outside: with teloxide's client, as a program, and on connections that are no sockets.

#![expect(clippy::unwrap_used, reason = "what cannot be unwrapped is the test's failure")]

mod mount;
mod program;
mod teloxide;
