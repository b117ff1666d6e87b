//! The long poll, and introducing the bot.

use super::{Came, Daemon};
use crate::command::COMMANDS;
use crate::policy;
use crate::ports::{Call, CallError, CallErrorKind, Poll, Telegram};
use std::rc::Rc;
use std::time::Duration;

impl Daemon {
    pub(super) fn bot(&self) -> i64 {
        self.ports.telegram.as_ref().map_or(0, |t| t.bot_id())
    }

    /// Begins the next long poll after a pause, with the offset that is committed by now.
    pub(super) fn poll(&mut self, telegram: Rc<dyn Telegram>, pause_ms: i64) {
        let timeout = self.config.telegram.as_ref().map_or(policy::POLL_TIMEOUT_MS, |t| t.poll_timeout_ms);
        let poll = self.store.cursor(telegram.bot_id()).map(|next| Poll {
            offset: next.map(|next| i32::try_from(next).unwrap_or(i32::MAX)),
            timeout: Duration::from_millis(timeout.cast_unsigned()),
            give_up: Duration::from_millis((timeout + policy::POLL_SLACK_MS).cast_unsigned()),
        });
        let time = self.ports.time.clone();
        self.poll_began = time.now().boot_ms + pause_ms;
        self.under_way.push(Box::pin(async move {
            if pause_ms > 0 {
                time.sleep_until(time.now().boot_ms + pause_ms).await;
            }
            Came::Polled(match poll {
                Ok(poll) => telegram.poll(poll).await,
                // Without the committed offset no poll may begin. That goes on record as a failed poll: if the database takes
                // no writes either, it is opened again.
                Err(error) => Err(CallError { kind: CallErrorKind::NotSent, text: format!("failed to {error}") }),
            })
        }));
    }

    /// Sets the bot's command menu and asks for our user name, once in a daemon's life.
    pub(super) fn introduce(&mut self) {
        let Some(telegram) = self.ports.telegram.clone() else { return };
        let give_up = Duration::from_millis(policy::CALL_GIVE_UP_MS.cast_unsigned());
        self.under_way.push(Box::pin(async move {
            let menu = COMMANDS.iter().map(|s| (s.name.to_owned(), s.about.to_owned())).collect();
            if let Err(error) = telegram.call(Call::SetCommands(menu), give_up).await {
                tracing::info!(%error, "the command menu was not set");
            }
            Came::Me(telegram.call(Call::GetMe, give_up).await)
        }));
    }
}
