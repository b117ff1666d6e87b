//! Carries out committed effects: one exhaustive match, each arm one call of a port. Decides nothing; what came of an
//! effect goes round again as an [`Input`].

use crate::id::AttemptKey;
use crate::input::Input;
use crate::plan::Effect;
use crate::policy;
use crate::ports::{LocalFuture, Ports, Runner, Stream};
use std::time::Duration;

/// Performs an effect. What takes time comes back as a future; none when nothing comes back.
pub fn perform(ports: &Ports, effect: Effect) -> Option<LocalFuture<'static, Option<Input>>> {
    let runner = ports.runner.clone();
    match effect {
        Effect::Start(spec) => Some(Box::pin(async move {
            let key = spec.key;
            let result = runner.start(*spec).await;
            Some(Input::Started { key, result })
        })),
        Effect::ClearAndStart(spec) => Some(Box::pin(async move {
            let key = spec.key;
            let result = match runner.clear(key) {
                Ok(()) => runner.start(*spec).await,
                Err(error) => Err(error),
            };
            Some(Input::Started { key, result })
        })),
        Effect::Go { key, identity } => {
            if !runner.go(key) {
                tracing::warn!(%key, "the shim left before it was told to go");
            }
            Some(Box::pin(async move { Some(Input::Noticed { key, noticed: runner.watch(key, identity).await }) }))
        }
        Effect::Watch { key, identity } => {
            Some(Box::pin(async move { Some(Input::Noticed { key, noticed: runner.watch(key, identity).await }) }))
        }
        Effect::Observe { key, identity } => {
            let observation = runner.observe(key, identity.as_ref());
            Some(Box::pin(async move { Some(Input::Found { key, observation }) }))
        }
        Effect::Stop { key, identity } => {
            if !runner.stop(key, &identity) {
                tracing::info!(%key, "nothing to stop: its shim is gone");
            }
            None
        }
        Effect::Kill { key, identity, waited_ms } => Some(Box::pin(async move {
            // Nothing comes of it but what the watch tells.
            runner.kill(key, identity, waited_ms).await;
            None
        })),
        Effect::Destroy { key, nonce, evidence } => Some(Box::pin(async move {
            let killed = runner.destroy(key, nonce).await;
            Some(Input::Destroyed { key, killed, evidence })
        })),
        Effect::Archive(key) => {
            if let Err(error) = runner.archive(key) {
                tracing::warn!(%key, error, "could not archive an ended attempt");
            }
            None
        }
        Effect::Call { message, version, chat: _, call } => {
            let telegram = ports.telegram.clone()?;
            Some(Box::pin(async move {
                let result = telegram.call(call, give_up()).await;
                Some(Input::Called { message, version, result })
            }))
        }
        Effect::Tell(call) => {
            let telegram = ports.telegram.clone()?;
            Some(Box::pin(async move {
                let method = call.method();
                if let Err(error) = telegram.call(call, give_up()).await {
                    tracing::info!(method, %error, "telegram did not take it; nothing depends on it");
                }
                None
            }))
        }
        // The loop's own, and done when it was decided.
        Effect::Drain(_) => None,
        Effect::Answer { connection, answer } => {
            ports.control.answer(connection, answer);
            None
        }
        Effect::ReadLog { key, lines, to } => {
            let result = read_log(&*runner, key, lines);
            Some(Box::pin(async move { Some(Input::LogRead { key, to, result }) }))
        }
    }
}

/// Reads the end of both output streams of an attempt.
///
/// # Errors
/// The output can't be read.
pub fn read_log(runner: &dyn Runner, key: AttemptKey, lines: u32) -> Result<String, String> {
    let read = |stream| runner.tail(key, stream, lines as usize, policy::LOG_READ_BYTES_MAX);
    let (out, err) = (read(Stream::Stdout)?, read(Stream::Stderr)?);
    Ok(match (out.is_empty(), err.is_empty()) {
        (_, true) => out,
        (true, false) => err,
        (false, false) => format!("{}\n--- stderr\n{err}", out.trim_end()),
    })
}

fn give_up() -> Duration {
    Duration::from_millis(policy::CALL_GIVE_UP_MS.cast_unsigned())
}
