//! The loop. (Its place until it is merged.)

use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::ports::Ports;
use std::rc::Rc;

/// Runs until it is told to end.
///
/// # Errors
/// What ends the process.
pub async fn run(_: Ports, _: Rc<Config>) -> Result<(), Fatal> {
    Err(Fatal::new(ExitCode::Internal, "the loop is not in this build"))
}
