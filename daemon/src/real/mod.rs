//! The adapters: the only places that name SQL, HTTP, processes, files or clocks.

pub mod clock;
pub mod config_file;
pub mod control;
pub mod lock;
pub mod log;
pub mod runner;
pub mod shim;
pub mod store;
pub mod telegram;
pub mod token;
pub(crate) mod watched;

use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::ports::Ports;
use std::rc::Rc;

/// The database's name in the state directory.
pub const DATABASE_NAME: &str = "mainstay.db";

/// The world as it is. The caller holds the lock of the state directory, and is inside a runtime. `token` is there when
/// the configuration names a bot.
///
/// # Errors
/// A part of the machine can't be used.
pub fn ports(config: &Config, token: Option<token::Token>) -> Result<Ports, Fatal> {
    let clock = clock::SystemClock::new()
        .map_err(|e| Fatal::new(ExitCode::Internal, format!("can't read the machine's boot id: {e}")))?;
    Ok(Ports {
        time: Rc::new(clock),
        telegram: config.telegram.as_ref().zip(token).map(|(config, token)| telegram::connect(config, token)),
        storage: Rc::new(store::FileStorage::new(config.state_dir.join(DATABASE_NAME))),
        runner: Rc::new(runner::LocalRunner),
        control: Rc::new(control::LocalControl::listen(&config.state_dir)?),
    })
}
