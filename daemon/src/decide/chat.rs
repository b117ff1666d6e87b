//! Updates: who may speak, what was said before, which button was pressed.

use super::order::{Asker, Named, received, take_up};
use super::{Draft, Said, welcome_when_late};
use crate::command::{Command, Parsed, parse_text};
use crate::config::Config;
use crate::event::{Again, Fact, Passed};
use crate::id::Actor;
use crate::input::{Incoming, IncomingKind, ReplyTo};
use crate::plan::Effect;
use crate::policy;
use crate::ports::Call;
use crate::report;
use crate::view::{ButtonRow, View};

/// What an update is about, for loading: the command it gives, directly or by a button.
pub fn command_of(incoming: &Incoming, button: Option<&ButtonRow>, username: Option<&str>) -> Option<Command> {
    match &incoming.what {
        IncomingKind::Message { text, .. } => match parse_text(text, username) {
            Parsed::Command(command) => Some(command),
            Parsed::Bad(_) | Parsed::NotForUs => None,
        },
        IncomingKind::Press { .. } => button.and_then(|button| button_command(button, username)),
        IncomingKind::Anonymous { .. }
        | IncomingKind::Edited { .. }
        | IncomingKind::Membership { .. }
        | IncomingKind::Migrated { .. }
        | IncomingKind::Unsupported => None,
    }
}

/// What a button means: a row in the database, never what its data says.
fn button_command(button: &ButtonRow, username: Option<&str>) -> Option<Command> {
    if let Some(text) = &button.text {
        return match parse_text(text, username) {
            Parsed::Command(command) => Some(command),
            Parsed::Bad(_) | Parsed::NotForUs => None,
        };
    }
    let task = button.task?;
    Some(match button.action.as_str() {
        "approve" => Command::Approve { task, note: String::new() },
        "reject" => Command::Reject { task, reason: "rejected by button".into() },
        "resume" => Command::Resume { task },
        "stop" => Command::Stop { task },
        "recover" => Command::Recover { task },
        "log" => Command::Log { task, lines: policy::LOG_LINES_DEFAULT },
        "why" => Command::Why { task },
        _ => return None,
    })
}

/// Decides an update.
pub fn update(draft: &mut Draft<'_>, incoming: &Incoming) {
    let key = incoming.key();
    if let (Some(key), Some(_)) = (&key, draft.view.seen) {
        let update = Some(incoming.update);
        let fact = Fact::Replayed { again: Again::Delivery, key: key.clone(), update, why: String::new() };
        draft.record_about(draft.view.seen.flatten(), Actor::System, fact);
        return;
    }
    match &incoming.what {
        IncomingKind::Message { chat, private, thread, message, user, date, text, forwarded } => {
            let heard = Heard { chat: *chat, private: *private, thread: *thread, message: *message, user: *user };
            if *forwarded && heard.may_speak(draft) {
                return pass(draft, incoming, Passed::Forwarded, *chat, Some(*user));
            }
            said(draft, incoming, heard, *date, text);
        }
        IncomingKind::Press { id, user, chat, data, .. } => press(draft, incoming, id, *user, *chat, data),
        IncomingKind::Edited { chat, user, message, command, .. } => {
            pass(draft, incoming, Passed::Edited, *chat, *user);
            let known = user.is_some_and(|user| may_speak(draft.config, draft.view, *chat, user));
            if known && *command {
                // An arrow-up and Enter edits the last message in many clients: whoever did that waits for something.
                let to = ReplyTo::Chat { chat: *chat, thread: None, message: Some(*message) };
                draft.reply(to, Said::no("an edited command is not carried out: send it as a new message"));
            }
        }
        IncomingKind::Anonymous { chat, .. } => pass(draft, incoming, Passed::Anonymous, *chat, None),
        IncomingKind::Membership { chat, private, user, present } => {
            membership(draft, incoming, *chat, *private, *user, *present);
        }
        IncomingKind::Migrated { from, .. } if !draft.config.lists(*from, &draft.view.moved) => {
            pass(draft, incoming, Passed::Stranger, *from, None);
        }
        IncomingKind::Migrated { from, to } => {
            draft.record(None, None, Actor::System, Fact::ChatMigrated { from: *from, to: *to });
        }
        IncomingKind::Unsupported => {
            // Anybody can send these (a thrown dice, a pinned message), so they are rationed like strangers.
            let Some(unrecorded) = draft.view.stranger else { return };
            let fact = Fact::PassedOver {
                why: Passed::Unsupported,
                key: None,
                update: Some(incoming.update),
                chat: None,
                user: None,
                unrecorded,
            };
            draft.record(None, None, Actor::System, fact);
        }
    }
}

/// A message's place and author.
#[derive(Clone, Copy)]
struct Heard {
    chat: i64,
    private: bool,
    thread: Option<i32>,
    message: i32,
    user: i64,
}

impl Heard {
    fn may_speak(self, draft: &Draft<'_>) -> bool {
        may_speak(draft.config, draft.view, self.chat, self.user)
    }
}

/// An operator, in their own private chat or in a group on the list (also under the id it got since).
pub fn may_speak(config: &Config, view: &View, chat: i64, user: i64) -> bool {
    config.operators.contains_key(&user) && (chat == user || config.lists(chat, &view.moved))
}

/// Passes an update over. Strangers leave at most one event per chat and hour.
fn pass(draft: &mut Draft<'_>, incoming: &Incoming, why: Passed, chat: i64, user: Option<i64>) {
    let known = user.is_some_and(|user| may_speak(draft.config, draft.view, chat, user));
    let why = if known || why == Passed::Stranger { why } else { Passed::Stranger };
    let unrecorded = match (why, draft.view.stranger) {
        (Passed::Stranger, None) => return,
        (Passed::Stranger, Some(unrecorded)) => unrecorded,
        _ => 0,
    };
    // Only what could be said again under the same name needs its key kept.
    let key = if why == Passed::Stranger { None } else { incoming.key() };
    let fact = Fact::PassedOver { why, key, update: Some(incoming.update), chat: Some(chat), user, unrecorded };
    draft.record(None, None, Actor::System, fact);
    // A stranger's group: we may have been away, or the network, when we were added to it. Where an operator speaks we stay.
    let gone = matches!(incoming.what, IncomingKind::Membership { present: false, .. });
    let foreign = user.is_some_and(|user| !draft.config.operators.contains_key(&user));
    if why == Passed::Stranger && chat < 0 && foreign && !gone && !draft.config.lists(chat, &draft.view.moved) {
        leave(draft, chat);
    }
}

/// Leaves a group that is not listed, unless it could be a listed one under the id that it got as a supergroup, and that we
/// were never told of: operators would have to add us again. Then we only stay silent, as everywhere among strangers.
fn leave(draft: &mut Draft<'_>, chat: i64) {
    if chat > policy::SUPERGROUP_ID_MAX || !draft.view.group_may_have_moved {
        draft.effect(Effect::Tell(Call::Leave { chat }));
    }
}

fn said(draft: &mut Draft<'_>, incoming: &Incoming, heard: Heard, date: i64, text: &str) {
    let Heard { chat, user, .. } = heard;
    if !heard.may_speak(draft) {
        return pass(draft, incoming, Passed::Stranger, chat, Some(user));
    }
    let asker = Asker {
        actor: Actor::User(user),
        to: ReplyTo::Chat { chat, thread: heard.thread, message: Some(heard.message) },
    };
    draft.trace(format!("tg-{chat}-{}", heard.message));
    let command = match parse_text(text, draft.view.username.as_deref()) {
        Parsed::Command(command) => command,
        Parsed::Bad(error) => {
            pass(draft, incoming, Passed::Talk, chat, Some(user));
            return draft.reply(asker.to, Said::no(error.text));
        }
        // A group talks among itself: that is not for the record.
        Parsed::NotForUs if !heard.private => return,
        Parsed::NotForUs => {
            pass(draft, incoming, Passed::Talk, chat, Some(user));
            if !text.is_empty() && !text.starts_with('/') {
                draft.reply(asker.to, Said::no("I read commands only: /help lists yours"));
            }
            return;
        }
    };
    let age_ms = draft.now.wall_ms - date * 1_000;
    if age_ms > policy::COMMAND_MAX_AGE_MS && !welcome_when_late(&command) {
        return ask_back(draft, incoming, heard, asker, text, age_ms);
    }
    let named = Named { key: incoming.key().unwrap_or_default(), update: Some(incoming.update), chat: Some(chat) };
    if let Some(said) = take_up(draft, asker, named, &command) {
        draft.reply(asker.to, said);
    }
}

/// A command that comes late (the daemon or the network was down) may no longer be meant: a press confirms it.
fn ask_back(draft: &mut Draft<'_>, incoming: &Incoming, heard: Heard, asker: Asker, text: &str, age_ms: i64) {
    pass(draft, incoming, Passed::Stale, heard.chat, Some(heard.user));
    let nonce = draft.nonce();
    let until = draft.now.boot_ms + policy::BUTTON_TTL_MS;
    let fact = Fact::ConfirmAsked {
        nonce: nonce.clone(),
        text: text.to_owned(),
        user: heard.user,
        chat: heard.chat,
        message: heard.message,
        until,
    };
    draft.record(None, None, asker.actor, fact);
    let first: String = text.chars().take(60).collect();
    let mut said = Said::no(format!("this was said {} ago and was not done: {first}", report::span(age_ms)));
    said.buttons = vec![vec![("Do it now".to_owned(), nonce)]];
    draft.reply(asker.to, said);
}

fn membership(draft: &mut Draft<'_>, incoming: &Incoming, chat: i64, private: bool, user: i64, present: bool) {
    let listed = draft.config.lists(chat, &draft.view.moved);
    let welcome = if private { draft.config.operators.contains_key(&chat) } else { listed };
    if welcome {
        if present {
            draft.record(None, None, Actor::System, Fact::ChatReturned { chat });
            draft.welcome();
        }
        return;
    }
    let before = draft.plan.effects.len();
    pass(draft, incoming, Passed::Stranger, chat, Some(user));
    // Added again within the hour: not on record again, but left again.
    if present && !private && draft.plan.effects.len() == before {
        leave(draft, chat);
    }
}

fn press(draft: &mut Draft<'_>, incoming: &Incoming, id: &str, user: i64, chat: Option<i64>, data: &str) {
    let place = chat.unwrap_or(0);
    if !may_speak(draft.config, draft.view, place, user) {
        return pass(draft, incoming, Passed::Stranger, place, Some(user));
    }
    let banner = |text: &str, alert: bool| {
        let text: String = report::visible(text).chars().take(190).collect();
        Effect::Tell(Call::AnswerPress { id: id.to_owned(), text, alert })
    };
    let Some(button) = draft.view.button.clone() else {
        pass(draft, incoming, Passed::Forged, place, Some(user));
        return draft.effect(banner("This button is no longer valid.", false));
    };
    let Some(command) = button_command(&button, draft.view.username.as_deref()) else {
        pass(draft, incoming, Passed::Forged, place, Some(user));
        return draft.effect(banner("This button is no longer valid.", false));
    };
    debug_assert_eq!(button.nonce, data, "the button was loaded by its nonce");
    if button.chat != place || button.user.is_some_and(|only| only != user) {
        pass(draft, incoming, Passed::Forged, place, Some(user));
        return draft.effect(banner("This button is somebody else's.", false));
    }
    if button.until <= draft.now.boot_ms {
        pass(draft, incoming, Passed::Expired, place, Some(user));
        return draft.effect(banner("This button has expired.", false));
    }
    if let (Some(by), false) = (button.used_by, command.is_read()) {
        let why = format!("Already pressed by {}.", report::who(draft.config, by));
        let effect = banner(&why, false);
        let (key, update) = (incoming.key().unwrap_or_default(), Some(incoming.update));
        draft.trace(format!("tg-{place}-q{id}"));
        draft.record_about(button.task, Actor::User(user), Fact::Replayed { again: Again::Press, key, update, why });
        return draft.effect(effect);
    }
    let asker = Asker { actor: Actor::User(user), to: ReplyTo::Chat { chat: place, thread: None, message: None } };
    draft.trace(format!("tg-{place}-q{id}"));
    if let Some(message) = button.message {
        draft.trace(format!("tg-{place}-{message}"));
    }
    let named = Named { key: incoming.key().unwrap_or_default(), update: Some(incoming.update), chat: Some(place) };
    let changed = draft.view.task.as_ref().is_some_and(|t| {
        matches!(command, Command::Approve { .. })
            && button.text.is_none()
            && super::gate::content_hash(draft.config, &t.task) != button.hash
    });
    if changed {
        let why = "What would run has changed since this card was shown: look again, then approve.";
        received(draft, asker.actor, named, &command, 0);
        super::order::refuse(draft, asker, &command, draft.view.task.clone().as_ref(), why, false);
        return draft.effect(banner(why, true));
    }
    draft.spent = Some(button.nonce.clone());
    let said = take_up(draft, asker, named, &command);
    // A refusal, also a friendly one, leaves the button to others: the card still shows it.
    let refused = draft.plan.events.iter().any(|e| matches!(e.fact, Fact::Refused { .. } | Fact::Replayed { .. }));
    if !refused && !command.is_read() {
        draft.record(None, None, asker.actor, Fact::ButtonUsed { nonce: button.nonce });
    }
    match said {
        // What is long to read is a message; what was done shows on the card.
        Some(said) if command.is_read() => {
            draft.effect(banner("", false));
            draft.reply(asker.to, said);
        }
        Some(said) => draft.effect(banner(&said.text, !said.ok)),
        None => draft.effect(banner("", false)),
    }
}
