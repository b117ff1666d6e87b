//! The adapters: the only places that name SQL, HTTP, processes, files or clocks.

pub mod backups;
mod cgroup;
#[expect(clippy::disallowed_methods, reason = "the port Time and its entropy")]
pub mod clock;
pub(crate) mod complain;
pub mod config_file;
pub mod control;
mod folder;
pub(crate) mod installed;
mod launcher;
pub mod lock;
pub mod log;
mod logfile;
mod observe;
mod process;
pub mod restores;
#[expect(
    clippy::disallowed_methods,
    reason = "waits for shims: their time limits are the machine's business, not decisions"
)]
pub mod runner;
pub mod secrets;
pub(crate) mod service;
#[expect(clippy::disallowed_methods, reason = "a process of its own, with a clock of its own")]
pub mod shim;
pub mod slice;
mod spawn;
#[expect(clippy::disallowed_methods, reason = "a connection's time limit: nothing that is decided depends on it")]
mod status;
pub mod store;
mod supervise;
mod sys;
pub mod telegram;
pub mod token;
mod watch;
pub(crate) mod watched;

use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::ports::{Control, Ports, Telegram};
use std::rc::Rc;

/// The database's name in the state directory.
pub const DATABASE_NAME: &str = "mainstay.db";
/// The folder of attempts that may be alive, in the state directory.
pub const ATTEMPTS_NAME: &str = "attempts";
/// The folder of ended attempts, in the state directory.
pub const ARCHIVE_NAME: &str = "archive";

/// The world as it is. The caller holds the lock of the state directory, and is inside a runtime. `token` is there when
/// the configuration names a bot.
///
/// # Errors
/// A part of the machine can't be used.
pub fn ports(config: &Config, token: Option<token::Token>) -> Result<Ports, Fatal> {
    let clock = clock::SystemClock::new()
        .map_err(|e| Fatal::new(ExitCode::Internal, format!("can't read the machine's boot id: {e}")))?;
    let secrets = secrets::of(config, token.as_ref());
    let telegram = match config.telegram.as_ref().zip(token) {
        Some((config, token)) => {
            let bot = telegram::BotTelegram::new(&config.api_url, token.expose()).map_err(|error| {
                Fatal::new(ExitCode::ConfigInvalid, format!("failed to {error}: check telegram.api_url"))
            })?;
            Some(Rc::new(bot) as Rc<dyn Telegram>)
        }
        None => None,
    };
    let shim = runner::ShimCommand::installed();
    let (live, archive) = (config.state_dir.join(ATTEMPTS_NAME), config.state_dir.join(ARCHIVE_NAME));
    let runner = runner::LocalRunner::new(&live, &archive, shim, runner::Cgroups::IfPossible)
        .map_err(|e| Fatal::new(ExitCode::StateDirUnusable, format!("can't use {}: {e}", live.display())))?
        .with_service(std::env::var_os(service::VARIABLE).map(Into::into));
    Ok(Ports {
        version: installed::version(),
        time: Rc::new(clock),
        telegram,
        storage: Rc::new(store::FileStorage::new(config.state_dir.join(DATABASE_NAME))),
        runner: Rc::new(runner),
        control: control(config)?,
        secrets: Rc::new(secrets),
    })
}

/// The socket, and the status page where there is one. Without its page the daemon does all it has to do, so a port that is
/// taken is no reason not to start.
fn control(config: &Config) -> Result<Rc<dyn Control>, Fatal> {
    let local = control::LocalControl::listen(&config.state_dir)?;
    let Some(address) = config.status else { return Ok(Rc::new(local)) };
    match status::StatusPage::listen(address) {
        Ok(page) => {
            tracing::info!(url = %format!("http://{}/", page.address()), "the status page is up");
            Ok(Rc::new(status::WithPage::new(local, page)))
        }
        Err(error) => {
            tracing::warn!(%address, %error, "there is no status page: its address can't be had (status.listen)");
            Ok(Rc::new(local))
        }
    }
}
