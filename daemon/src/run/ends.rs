//! The edges of the loop: what a new daemon takes in first, what is done about an input that fails, log lines, exit codes.

use crate::attempt::Identity;
use crate::config::Config;
use crate::decide::{Draft, Moment, Said};
use crate::event::{Event, Fact, Passed, SCHEMA};
use crate::exit::{ExitCode, Fatal};
use crate::id::{Actor, AttemptKey};
use crate::input::{Input, ReplyTo};
use crate::plan::Plan;
use crate::ports::Ports;
use crate::real::store::{Store, StoreError};
use crate::view::View;
use std::collections::BTreeMap;

/// What a new daemon takes in first: that it took over, what the last one was sending, and what the machine says of every
/// attempt that should be or seems to be alive.
pub(super) fn boot_inputs(ports: &Ports, config: &Config, store: &Store) -> Result<Vec<Input>, StoreError> {
    let now = ports.time.now();
    let away_ms = store.last_at()?.map(|at| (now.wall_ms - at).max(0));
    let version = ports.version.clone();
    let mut inputs = vec![Input::Booted { version, boot: ports.time.boot_id().to_owned() }];
    let reconfigured = store.last_config()?.is_some_and(|hash| hash != config.hash);
    inputs.extend(away_ms.map(|away_ms| Input::Returned { away_ms, reconfigured }));
    inputs.extend(store.interrupted_sends()?.into_iter().map(|row| Input::Interrupted { message: row.id }));
    let mut keys: BTreeMap<AttemptKey, Option<Identity>> = BTreeMap::new();
    match ports.runner.scan() {
        Ok(found) => keys.extend(found.into_iter().map(|key| (key, None))),
        Err(error) => tracing::error!(error, "could not list the attempts"),
    }
    for task in store.running()? {
        let attempt = store.task(task.id)?.and_then(|t| t.attempt);
        keys.insert(task.key(), attempt.and_then(|a| a.identity));
    }
    inputs.extend(keys.into_iter().map(|(key, identity)| {
        let observation = ports.runner.observe(key, identity.as_ref());
        Input::Found { key, observation }
    }));
    Ok(inputs)
}

/// What is done about an input that could not be decided or did not fit: it is on record, answered, and passed.
pub(super) fn failed(config: &Config, view: &View, input: &Input, now: Moment, error: &str) -> Plan {
    let mut draft = Draft::new(config, view, now);
    let sorry = Said::no("this failed inside mainstay: nothing was done, and it is on record (please report it)");
    match input {
        Input::Update(incoming) => {
            let (chat, user) = incoming.place();
            let fact = Fact::PassedOver {
                why: Passed::Failed,
                key: incoming.key(),
                update: Some(incoming.update),
                chat: Some(chat),
                user,
                unrecorded: 0,
            };
            draft.record(None, None, Actor::System, fact);
            if view.stranger.is_none() {
                draft.reply(ReplyTo::Chat { chat, thread: None, message: None }, sorry);
            }
        }
        Input::Local(request) => {
            let command = request.argv.first().cloned().unwrap_or_default();
            let fact = Fact::Refused { command, why: error.to_owned(), already: false };
            draft.record(None, None, Actor::Local(request.uid), fact);
            draft.reply(ReplyTo::Local { connection: request.connection }, sorry);
        }
        Input::Booted { .. }
        | Input::Returned { .. }
        | Input::Interrupted { .. }
        | Input::Me { .. }
        | Input::Found { .. }
        | Input::Started { .. }
        | Input::Noticed { .. }
        | Input::Destroyed { .. }
        | Input::Called { .. }
        | Input::LogRead { .. }
        | Input::Seen(_)
        | Input::Terminate => {
            let what = format!("an input could not be handled: {error}");
            draft.record(None, None, Actor::System, Fact::Violation { what });
        }
    }
    draft.done()
}

/// One line for each event, once it is on record.
pub(super) fn log(events: &[(i64, Event)]) {
    for (seq, event) in events {
        tracing::info!(
            target: "mainstay::record",
            v = SCHEMA,
            seq,
            trace = event.trace,
            task = event.task.map(|t| t.0),
            attempt = event.attempt,
            actor = event.actor.to_string(),
            event = event.fact.kind(),
            data = event.fact.data(),
        );
    }
}

/// The exit code for storage trouble that ends a process, with what to do.
pub fn fatal(error: &StoreError) -> Fatal {
    let (code, advice) = match error {
        StoreError::Full => (ExitCode::DiskFull, "make room, then start again"),
        StoreError::Transient(_) => (ExitCode::StateDirUnusable, "check the state directory's owner, mode and disk"),
        StoreError::Damaged(_) => (
            ExitCode::DatabaseDamaged,
            "nothing was changed; keep a copy of the state directory, then restore a back-up",
        ),
        StoreError::Newer { .. } => (ExitCode::DatabaseNewer, "nothing was changed; start the newer version"),
        StoreError::Fenced { .. } => (ExitCode::OwnershipLost, "nothing was written; the other daemon goes on"),
        StoreError::Misfit(_) => (ExitCode::Internal, "this is a bug; please report it"),
    };
    Fatal::new(code, format!("failed to {error}: {advice}"))
}
