//! What every implementation of the port [`Telegram`] must do, against the Bot API server's [`World`].
//!
//! A case is a function over a [`Site`]: the port, and what goes on behind it. `telegram_contract!` makes a test of each, for
//! an implementation that knows how to set up a site. A case names no time but the port's own limits.

pub(crate) mod calls;
pub(crate) mod polls;
pub(crate) mod refusals;

use mainstay::ports::{Call, CallError, CallErrorKind, Called, Outgoing, Poll, Telegram};
use mainstay_sim::botapi::{BotId, ChatId, Limits, MessageId, Method, Millis, People, Seen, UserId, World};
use std::time::Duration;
use teloxide_core::types::Update;

/// The bot's token in every case: a canary, of a real token's shape, that must turn up nowhere.
pub(crate) const TOKEN: &str = "42:AAcanary-0123456789_abcdefghijklmnop";
/// The bot.
pub(crate) const BOT: BotId = BotId(42);
/// Somebody with an open private chat.
pub(crate) const ANN: UserId = UserId(7);
/// That chat.
pub(crate) const CHAT: ChatId = ChatId(7);
/// For what is expected to come to an end by itself.
pub(crate) const PATIENT: Duration = Duration::from_secs(10);
/// For what is expected to hang.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(600);

/// A test of every case for one implementation: `telegram_contract!(run)`, where `run` takes a case and gives it a site.
macro_rules! telegram_contract {
    ($run:path) => {
        telegram_contract! { $run =>
            calls: a_message_arrives_with_everything_in_it
            calls: ranges_count_utf16_units_in_messages_edits_and_captions
            calls: the_general_topic_is_never_named
            calls: a_vanished_message_can_be_answered
            calls: an_edit_replaces_text_and_buttons
            calls: a_document_arrives_with_its_bytes_and_caption
            calls: a_press_is_answered
            calls: the_menu_is_set_and_a_chat_is_left
            calls: the_bot_knows_itself
            calls: a_call_is_carried_out_at_most_once_when_the_server_comes_back
            refusals: every_refusal_has_its_class
            refusals: a_flood_wait_comes_with_its_length_and_nothing_was_sent
            refusals: a_migrated_group_comes_with_its_new_id
            refusals: an_outage_is_certainly_not_sent_and_ends
            refusals: what_may_have_been_sent_is_ambiguous_and_tried_once
            refusals: a_wrong_token_is_told_by_calls_and_polls
            polls: updates_come_in_order_until_a_higher_offset_arrives
            polls: a_poll_without_updates_ends_empty
            polls: every_kind_that_is_read_comes_and_no_other
            polls: a_strangers_list_of_kinds_is_replaced_by_the_next_poll
            polls: stale_offsets_still_deliver
            polls: unknown_kinds_come_with_their_ids_and_content
            polls: the_largest_batch_comes_whole
            polls: a_half_open_poll_is_given_up_and_calls_go_on
            polls: failed_polls_lose_nothing
            polls: a_second_poller_and_a_webhook_are_conflicts
        }
    };
    ($run:path => $($module:ident: $case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $run(|site| Box::pin(async move { $crate::contract::telegram::$module::$case(&site).await }));
            }
        )*
    };
}

/// What goes on behind a port.
pub(crate) trait Backstage {
    /// Does something with the world, at its present time; polls that wait look again.
    fn change(&self, act: &mut dyn FnMut(&mut World, Millis));
    /// Refuses connections and cuts those that are open, or takes connections again.
    fn reachable(&self, yes: bool);
}

/// A port with what is behind it.
pub(crate) struct Site<'a> {
    /// The port.
    pub(crate) telegram: &'a dyn Telegram,
    /// What is behind it.
    pub(crate) backstage: &'a dyn Backstage,
}

/// The world that every case begins with: our bot, Ann, and their chat, without flood control.
pub(crate) fn world(now: Millis) -> World {
    let mut world = World::new(11);
    world.limits = Limits::none();
    world.add_bot(TOKEN, "Mainstay", "mainstay_bot");
    world.people(now).acquaintance(ANN, "Ann");
    world
}

/// A plain text for Ann.
pub(crate) fn text(text: &str) -> Outgoing {
    Outgoing { chat: CHAT.0, text: text.to_owned(), ..Outgoing::default() }
}

impl Site<'_> {
    /// Does something with the world.
    pub(crate) fn world<T>(&self, act: impl FnOnce(&mut World, Millis) -> T) -> T {
        let (mut act, mut result) = (Some(act), None);
        self.backstage.change(&mut |world, now| result = act.take().map(|act| act(world, now)));
        result.expect("the backstage lets everybody act once")
    }

    /// Does something as the world's people.
    pub(crate) fn people<T>(&self, act: impl FnOnce(&mut People<'_>) -> T) -> T {
        self.world(|world, now| act(&mut world.people(now)))
    }

    /// What Ann sees.
    pub(crate) fn screen(&self) -> Vec<Seen> {
        self.world(|world, _| world.screen(CHAT).messages)
    }

    /// The message of this id in a chat, which must be there.
    pub(crate) fn seen(&self, chat: ChatId, message: i32) -> Seen {
        let seen = self.world(|world, _| world.seen(chat, MessageId(message.into())));
        seen.expect("there is such a message")
    }

    /// How many requests of a method arrived.
    pub(crate) fn requests(&self, method: Method) -> usize {
        self.world(|world, _| world.log().iter().filter(|r| Method::parse(&r.method) == Some(method)).count())
    }

    /// A call that is expected to come to an end by itself.
    pub(crate) async fn call(&self, call: Call) -> Result<Called, CallError> {
        self.telegram.call(call, PATIENT).await
    }

    /// Sends what is expected to arrive: the new message's id.
    pub(crate) async fn send(&self, content: Outgoing) -> i32 {
        match self.call(Call::Send(content)).await {
            Ok(Called::Message(message)) => message,
            other => panic!("a message was to be sent: {other:?}"),
        }
    }

    /// The class of a call that is expected to fail.
    pub(crate) async fn refused(&self, call: Call) -> CallErrorKind {
        kind(self.call(call).await)
    }

    /// A poll that takes what is there and does not wait.
    pub(crate) async fn poll(&self, offset: i32) -> Vec<Update> {
        let poll = Poll { offset: Some(offset), timeout: Duration::ZERO, give_up: PATIENT };
        self.telegram.poll(poll).await.expect("the server is well")
    }

    /// Waits for something to have happened in the world. Sleeps, because in simulated time nothing arrives before time passes;
    /// how long is of no importance.
    pub(crate) async fn until(&self, mut happened: impl FnMut(&mut World) -> bool) {
        while !self.world(|world, _| happened(world)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// The class of a result that is expected to be a failure. Its text never has the token.
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, CallError>) -> CallErrorKind {
    let error = result.expect_err("a failure was expected");
    assert!(!format!("{error} {error:?}").contains("canary"), "the token is in {error}");
    error.kind
}

/// A poll with an offset that confirms nothing, different for each `n`: the server keeps the same offset waiting for 3 s.
pub(crate) fn long_poll(n: i32, timeout: Duration, give_up: Duration) -> Poll {
    Poll { offset: Some(n), timeout, give_up }
}
