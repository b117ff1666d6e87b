//! What each input needs to be decided: loaded here, and nothing more.

use super::Daemon;
use crate::command::{Command, Role, parse_argv};
use crate::decide::{Moment, chat};
use crate::input::{Incoming, IncomingKind, Input};
use crate::policy;
use crate::ports::{CallError, CallErrorKind, Called};
use crate::real::store::StoreError;
use crate::view::View;

impl Daemon {
    /// What every decision needs, with what this daemon alone remembers.
    pub(super) fn view(&self) -> Result<View, StoreError> {
        let mut view = self.store.view()?;
        view.draining = self.marks.draining;
        view.shortage = self.marks.starts.shortage().map(str::to_owned);
        Ok(view)
    }

    pub(super) fn load(&mut self, input: &Input, now: Moment) -> Result<View, StoreError> {
        let mut view = self.view()?;
        match input {
            Input::Returned { .. } => {
                view.reachable = self.store.reachable()?;
                for id in self.store.waiting_with_cards()? {
                    view.waiting.extend(self.store.task(id)?);
                }
            }
            Input::Update(incoming) => self.load_update(&mut view, incoming, now)?,
            Input::Local(request) => {
                if let Ok(command) = parse_argv(&request.argv) {
                    if !command.is_read() {
                        view.seen = self.store.seen(&request.natural_key())?;
                    }
                    self.load_command(&mut view, &command, now)?;
                }
            }
            Input::Started { key, result } => {
                self.marks.starts.ended(key.task, result, now.boot_ms);
                // What waited for it may begin at once.
                self.look.queue |= result.is_ok();
                view.task = self.store.task(key.task)?;
            }
            Input::Found { key, .. } | Input::Noticed { key, .. } | Input::Destroyed { key, .. } => {
                view.task = self.store.task(key.task)?
            }
            Input::Called { message, result, .. } => {
                self.marks.outage.called(*message, result, (now.boot_ms, now.wall_ms), now.entropy);
                view.outage = self.marks.outage.clone();
                view.outbox = self.store.message(*message)?;
                if let Some(task) = view.outbox.as_ref().and_then(|o| o.task) {
                    view.task = self.store.task(task)?;
                }
                let reached = view.outbox.as_ref().filter(|_| shows_welcome(result)).map(|o| o.chat);
                reached.map_or(Ok(()), |chat| self.load_welcome(&mut view, chat))?;
            }
            Input::Booted { .. } => {
                view.restore = self.store.restore_mark()?;
                if view.restore.is_some() {
                    for id in self.store.waiting()? {
                        view.waiting.extend(self.store.task(id)?);
                    }
                }
            }
            Input::Interrupted { .. }
            | Input::Me { .. }
            | Input::LogRead { .. }
            | Input::Seen(_)
            | Input::Terminate => {}
        }
        Ok(view)
    }

    pub(super) fn load_update(&mut self, view: &mut View, incoming: &Incoming, now: Moment) -> Result<(), StoreError> {
        view.username.clone_from(&self.username);
        if let Some(key) = incoming.key() {
            view.seen = self.store.seen(&key)?;
        }
        if let IncomingKind::Press { data, .. } = &incoming.what {
            view.button = self.store.button(data)?;
        }
        let (chat, user) = incoming.place();
        if !user.is_some_and(|user| chat::may_speak(&self.config, view, chat, user)) {
            view.stranger = self.marks.strangers.knock(chat, now.boot_ms);
            for group in self.config.telegram.iter().flat_map(|telegram| &telegram.chats) {
                let plain = *group > policy::SUPERGROUP_ID_MAX;
                view.group_may_have_moved |= plain && self.store.chat_now(*group)?.is_none();
            }
            return Ok(());
        }
        if let IncomingKind::Membership { present: true, .. } = incoming.what {
            self.load_welcome(view, chat)?;
        }
        if let Some(command) = chat::command_of(incoming, view.button.as_ref(), self.username.as_deref()) {
            self.load_command(view, &command, now)?;
        }
        Ok(())
    }

    /// What may wait for somebody who could not be written to before.
    fn load_welcome(&self, view: &mut View, chat: i64) -> Result<(), StoreError> {
        let approves = self.config.operators.get(&chat).is_some_and(|operator| operator.may(Role::Approver));
        if approves && !self.store.reaches(chat)? {
            view.reachable = vec![chat];
            for id in self.store.waiting_for_approval()? {
                view.waiting.extend(self.store.task(id)?);
            }
        }
        Ok(())
    }

    pub(super) fn load_command(&self, view: &mut View, command: &Command, now: Moment) -> Result<(), StoreError> {
        self.store.load_command(view, command, now.wall_ms)?;
        view.polled_ms = self.polling.completed_ms;
        view.polling = self.config.telegram.as_ref().map(|_| self.polling.seen(now.boot_ms));
        view.outage = self.marks.outage.clone();
        if let Some(chat) = self.config.telegram.as_ref().and_then(|t| t.report_chat) {
            view.report_chat_now = self.store.chat_now(chat)?;
        }
        if matches!(command, Command::Ops) || command.asks_for_more() {
            view.free_bytes = self.ports.storage.free_bytes();
        }
        self.ports.time.boot_id().clone_into(&mut view.boot);
        if matches!(command, Command::Why { .. } | Command::Trace { .. }) {
            let running: u32 = self.store.running_by_group()?.iter().map(|(_, n)| n).sum();
            view.running_full = running >= self.config.running_max;
        }
        Ok(())
    }
}

/// Whether what came of a call shows that its chat wants us: what [`Store::reaches`] goes by from then on.
///
/// [`Store::reaches`]: crate::real::store::Store::reaches
fn shows_welcome(result: &Result<Called, CallError>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) => matches!(error.kind, CallErrorKind::NotModified | CallErrorKind::Flood(_)),
    }
}
