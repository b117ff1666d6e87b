//! The loopback server against teloxide's real client: what it answers must parse with the types that the daemon uses, and
//! its faults must arrive as the errors that the daemon has to tell apart.

use std::time::Duration;

use mainstay_sim::botapi::{BotId, ChatId, Effect, Fault, Limits, Method, Methods, Outcome, Server, UserId, World};
use teloxide_core::Bot;
use teloxide_core::errors::{ApiError, RequestError};
use teloxide_core::payloads::{AnswerCallbackQuerySetters, GetUpdatesSetters, SendDocumentSetters, SendMessageSetters};
use teloxide_core::prelude::Requester;
use teloxide_core::types::{
    self, AllowedUpdate, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, MessageEntity, UpdateKind,
};

const TOKEN: &str = "42:secret";
const ANN: UserId = UserId(7);
const CHAT: types::ChatId = types::ChatId(7);
const OUR_CHAT: ChatId = ChatId(7);

fn start() -> (Server, Bot) {
    let mut world = World::new(3);
    world.limits = Limits::none();
    world.add_bot(TOKEN, "Mainstay", "mainstay_bot");
    let server = Server::start(world).unwrap();
    server.people(|people| people.acquaintance(ANN, "Ann"));
    let bot = Bot::new(TOKEN).set_api_url(server.url().parse().unwrap());
    (server, bot)
}

fn approve() -> InlineKeyboardMarkup {
    InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("Approve", "nonce-1")]])
}

#[tokio::test]
async fn a_conversation_goes_there_and_back() {
    let (server, bot) = start();
    assert_eq!(bot.get_me().await.unwrap().username(), "mainstay_bot");
    bot.set_my_commands([BotCommand::new("start", "says hello")]).await.unwrap();
    assert_eq!(bot.get_my_commands().await.unwrap().len(), 1);

    server.people(|people| people.say(ANN, OUR_CHAT, "/start"));
    let updates =
        bot.get_updates().timeout(5).allowed_updates([AllowedUpdate::Message, AllowedUpdate::CallbackQuery]).await;
    let updates = updates.unwrap();
    let UpdateKind::Message(message) = &updates[0].kind else { panic!("a message was expected") };
    assert_eq!((message.text(), message.from.as_ref().unwrap().id.0), (Some("/start"), 7));

    let sent =
        bot.send_message(CHAT, "Task 1 waits").reply_markup(approve()).entities([MessageEntity::bold(0, 6)]).await;
    let sent = sent.unwrap();
    let screen = server.world().screen(OUR_CHAT);
    let card = screen.last_of_bot().unwrap();
    assert_eq!(card.labels(), [["Approve"]]);

    let press = server.people(|people| people.press(ANN, OUR_CHAT, card.id, "Approve")).unwrap();
    let next = i32::try_from(updates[0].id.0 + 1).unwrap();
    let updates = bot.get_updates().offset(next).timeout(5).await.unwrap();
    let UpdateKind::CallbackQuery(query) = &updates[0].kind else { panic!("a press was expected") };
    assert_eq!((query.id.0.as_str(), query.data.as_deref()), (press.0.as_str(), Some("nonce-1")));
    bot.answer_callback_query(query.id.clone()).text("Approved").await.unwrap();
    assert_eq!(server.world().toast(&press).unwrap().text.as_deref(), Some("Approved"));

    bot.edit_message_text(CHAT, sent.id, "Task 1 runs").await.unwrap();
    let again = bot.edit_message_text(CHAT, sent.id, "Task 1 runs").await.unwrap_err();
    assert!(matches!(again, RequestError::Api(ApiError::MessageNotModified)), "{again:?}");
    let seen = server.world().seen(OUR_CHAT, card.id).unwrap();
    assert_eq!((seen.text.as_str(), seen.edits, seen.buttons.len()), ("Task 1 runs", 1, 0));

    bot.delete_message(CHAT, sent.id).await.unwrap();
    assert_eq!(server.world().screen(OUR_CHAT).messages.len(), 1);
}

#[tokio::test]
async fn a_document_arrives_with_its_bytes() {
    let (server, bot) = start();
    let file = InputFile::memory("line\r\nline\n").file_name("log.txt");
    let sent = bot.send_document(CHAT, file).caption("the log").reply_markup(approve()).await.unwrap();
    assert_eq!(sent.document().unwrap().file_name.as_deref(), Some("log.txt"));
    let seen = server.world().screen(OUR_CHAT).messages[0].clone();
    assert_eq!((seen.document.as_deref(), seen.text.as_str(), seen.buttons.len()), (Some("log.txt"), "the log", 1));
    let bytes = server.people(|people| people.document(OUR_CHAT, seen.id).unwrap().bytes.clone());
    assert_eq!(bytes, b"line\r\nline\n");
}

#[tokio::test]
async fn a_long_poll_wakes_when_somebody_writes() {
    let (server, bot) = start();
    let poll = tokio::spawn(async move { bot.get_updates().timeout(10).await });
    let server = tokio::task::spawn_blocking(move || {
        let mut seen = 0;
        while server.world().log().iter().next().is_none() {
            seen = server.shared().wait_for_change(seen).unwrap();
        }
        server.people(|people| people.say(ANN, OUR_CHAT, "hello"));
        server
    });
    let server = server.await.unwrap();
    assert_eq!(poll.await.unwrap().unwrap().len(), 1);
    drop(server);
}

#[tokio::test]
async fn refusals_arrive_as_the_errors_they_are() {
    let (server, bot) = start();
    server.world().faults.once(Methods::Only(Method::SendMessage), Fault::RetryAfter(41));
    let error = bot.send_message(CHAT, "x").await.unwrap_err();
    assert!(matches!(error, RequestError::RetryAfter(wait) if wait.seconds() == 41), "{error:?}");

    let group = server.people(|people| {
        let group = people.group("Ops");
        (group, people.migrate(group))
    });
    let error = bot.send_message(types::ChatId(group.0.0), "x").await.unwrap_err();
    assert!(matches!(error, RequestError::MigrateToChatId(to) if to.0 == group.1.0), "{error:?}");

    server.people(|people| people.block(ANN));
    let error = bot.send_message(CHAT, "x").await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::BotBlocked)), "{error:?}");

    server.world().replace_token(BotId(42), "42:other");
    let error = bot.get_me().await.unwrap_err();
    assert!(matches!(error, RequestError::Api(ApiError::InvalidToken)), "{error:?}");
}

/// The clock is paused because teloxide sleeps for ten seconds after a 5xx. The client has no timeouts that could fire then.
#[tokio::test(start_paused = true)]
async fn a_gateways_page_is_not_json() {
    let (server, bot) = start();
    let bot = Bot::with_client(TOKEN, reqwest::Client::new()).set_api_url(bot.api_url());
    server.world().faults.once(Methods::All, Fault::Html(502, Effect::Taken));
    let error = bot.send_message(CHAT, "x").await.unwrap_err();
    let RequestError::InvalidJson { raw, .. } = error else { panic!("not {error:?}") };
    assert!(raw.starts_with("<html>"));
    assert_eq!(server.world().screen(OUR_CHAT).messages.len(), 1);

    server.world().faults.once(Methods::All, Fault::BadJson);
    let error = bot.get_me().await.unwrap_err();
    assert!(matches!(error, RequestError::InvalidJson { .. }), "{error:?}");
}

#[tokio::test]
async fn resets_and_outages_are_network_errors_and_end_when_healed() {
    let (server, bot) = start();
    bot.get_me().await.unwrap();
    server.world().faults.once(Methods::Only(Method::SendMessage), Fault::Reset(Effect::Taken));
    let error = bot.send_message(CHAT, "x").await.unwrap_err();
    assert!(matches!(error, RequestError::Network(_)), "{error:?}");
    let taken = Outcome::Struck { fault: "reset-after", took_effect: Some(200) };
    assert_eq!(server.world().log().iter().last().unwrap().outcome, taken);
    assert_eq!(server.world().screen(OUR_CHAT).messages.len(), 1);

    server.down().unwrap();
    let error = bot.get_me().await.unwrap_err();
    assert!(matches!(&error, RequestError::Network(error) if error.is_connect()), "{error:?}");
    server.up().unwrap();
    bot.get_me().await.unwrap();
}

#[tokio::test]
async fn a_hanging_request_ends_only_in_the_clients_own_timeout() {
    let (server, bot) = start();
    server.world().faults.always(Methods::AllBut(Method::GetUpdates), Fault::Hang);
    let client = reqwest::Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
    let impatient = Bot::with_client(TOKEN, client).set_api_url(server.url().parse().unwrap());
    let error = impatient.get_me().await.unwrap_err();
    assert!(matches!(&error, RequestError::Network(error) if error.is_timeout()), "{error:?}");
    server.world().faults.heal();
    bot.get_me().await.unwrap();
}

#[test]
fn a_reset_is_a_reset_and_not_a_farewell() {
    use std::io::{Read, Write};
    let (server, _bot) = start();
    server.world().faults.once(Methods::All, Fault::Reset(Effect::Missing));
    let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.write_all(format!("GET /bot{TOKEN}/getMe HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
