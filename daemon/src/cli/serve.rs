//! `run`: everything that stands before the loop, in the order in which it can fail with the least harm.

use super::Options;
use super::check::own_bot_is_no_operator;
use crate::exit::{ExitCode, Fatal};
use crate::real::{
    self, ARCHIVE_NAME, ATTEMPTS_NAME, DATABASE_NAME, config_file, lock::StateLock, log, restores, secrets, slice,
    store, token,
};
use clap::ArgMatches;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::rc::Rc;

/// Is the daemon until it is told to end.
pub(super) fn run(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    token::leave_environment()?;
    let variable = std::env::var(log::LOG_VARIABLE).ok();
    log::start(matches.get_one::<String>("log").cloned().or(variable).as_deref(), options.colors_stdout())?;
    let result = serve(options);
    if let Err(fatal) = &result {
        // Also where the other lines are: the terminal's copy is lost when a service manager starts us.
        tracing::error!(exit_code = fatal.code.number(), "{}", fatal.text);
    }
    log::flush();
    result.map(|()| ExitCode::Ok)
}

fn serve(options: &Options) -> Result<(), Fatal> {
    let path = options.config_path()?;
    let valid = config_file::load(&path)?;
    for problem in &valid.warnings {
        tracing::warn!("{}:{problem}", path.display());
    }
    let config = Rc::new(valid.config);
    for missing in config_file::missing_on_this_machine(&config) {
        tracing::warn!("{missing}");
    }
    no_core_dumps();
    if let Err(error) = slice::ask_for_short_ones() {
        tracing::info!(%error, "no short turns on the processor: answers may wait for busy tasks");
    }
    let token = match &config.telegram {
        Some(telegram) => {
            let found = token::find(telegram.token_file.as_deref())?;
            log::redact(secrets::of(&config, Some(&found.token)));
            if let Some(warning) = found.warning {
                tracing::warn!("{warning}");
            }
            if let Some(fatal) = own_bot_is_no_operator(&config, &found.token) {
                return Err(fatal);
            }
            Some(found.token)
        }
        None => {
            log::redact(secrets::of(&config, None));
            None
        }
    };
    for name in secrets::too_short(&config) {
        tracing::warn!("the value of ${name} is too short to be taken out of texts: it may be shown");
    }
    // Held until the very end: whoever comes next must find everything put down.
    let _lock = StateLock::take(&config.state_dir)?;
    examine_database(&config.state_dir)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %path.display(),
        config_hash = %config.hash,
        state_dir = %config.state_dir.display(),
        "starting"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(log::flush)
        .build()
        .map_err(|e| Fatal::new(ExitCode::Internal, format!("can't start the runtime: {e}")))?;
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, async {
        let ports = real::ports(&config, token)?;
        crate::run::run(ports, config.clone()).await
    });
    tracing::info!("ended");
    result
}

/// Before anything is touched that belongs to another version, or that a back-up will have to replace.
pub(super) fn examine_database(state_dir: &Path) -> Result<(), Fatal> {
    let database = state_dir.join(DATABASE_NAME);
    if restores::is_cut_off(state_dir) {
        let text = format!(
            "a restore of {} was cut off before the back-up was in its place: give the same `mainstay restore` again",
            database.display()
        );
        return Err(Fatal::new(ExitCode::DatabaseDamaged, text));
    }
    if store::examine(&database).map_err(|error| crate::run::fatal(&error))? {
        return Ok(());
    }
    let attempts =
        |name: &&str| std::fs::read_dir(state_dir.join(name)).is_ok_and(|mut entries| entries.next().is_some());
    let Some(name) = [ATTEMPTS_NAME, ARCHIVE_NAME].into_iter().find(attempts) else { return Ok(()) };
    // Beginning anew would give their numbers away again, and kill what still runs as nobody's.
    let text = format!(
        "{} is missing or empty, but there are attempts of tasks in {}: put a back-up of it back, or move those away to begin anew",
        database.display(),
        state_dir.join(name).display()
    );
    Err(Fatal::new(ExitCode::DatabaseDamaged, text))
}

/// A dump of our memory would hold the token. Only the soft limit: a task may raise its own again.
fn no_core_dumps() {
    let limit = getrlimit(Resource::Core);
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), ..limit }) {
        tracing::warn!(%error, "core dumps can't be turned off");
    }
}
