//! Answers from the database while no daemon runs. (Its place until it is merged.)

use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::ports::Answer;

/// Answers a command that only looks; also `logs`, whose `argv` is `logs --last N`, then any of `--task ID`, `--trace ID`,
/// `--kind KIND`, `--since-ms MS` (wall clock), `--after SEQ`, and whose `data` is a list of events with their `seq`, oldest
/// first, one line of `text` each.
///
/// # Errors
/// The database can't be read.
pub fn answer(_: &Config, _: &[String]) -> Result<Answer, Fatal> {
    Err(Fatal::new(ExitCode::Internal, "reading the database is not in this build"))
}
