//! The runner: what every implementation of the port has to do (`contract`), and what only a real machine can show.
//!
//! Nothing here sleeps to wait for something: tasks say "up" over their progress file or a fifo. The only clock is a guard
//! against hanging.

mod contract;
mod escapes;
mod real;
mod restart;
mod support;
