//! A request's way through: the fault that strikes it, whose token it has, its method, its answer.

use serde_json::{Value, json};

use super::books::{Outcome, Record};
use super::faults::{Effect, Fault};
use super::ids::{BotId, Millis};
use super::methods::Method;
use super::polling::{Polled, get_updates, look_again};
use super::request::{Answer, Args, Refusal, Reply, Request, Ticket, Verdict};
use super::sending;
use super::world::World;

/// Takes a request.
pub fn handle(world: &mut World, now: Millis, request: Request) -> Verdict {
    let record = world.log.push(Record::new(now, &request));
    let fault = world.faults.strike(now, Method::parse(&request.method));
    match fault {
        Some(fault) if fault.is_before_effect() => strike(world, record, fault, None),
        None | Some(_) => match serve(world, now, &request, record) {
            Polled::Answer(reply) => conclude(world, record, fault, &reply),
            Polled::Wait(ticket, until) => wait(world, ticket, until, fault),
        },
    }
}

/// Asks again for a long poll that waits.
///
/// # Panics
/// If it has had its verdict, or was abandoned.
pub fn resume(world: &mut World, now: Millis, ticket: Ticket) -> Verdict {
    let mut waiting = world.polls.get(&ticket).cloned().expect("a poll is asked for until it has its verdict");
    if waiting.fault.is_none() {
        waiting.fault = world.faults.strike(now, Some(Method::GetUpdates));
    }
    if let Some(fault) = waiting.fault.filter(|fault| fault.is_before_effect() || *fault == Fault::HalfOpen) {
        forget(world, ticket);
        return strike(world, waiting.record, fault, None);
    }
    match look_again(world, now, &waiting) {
        Some(reply) => {
            forget(world, ticket);
            conclude(world, waiting.record, waiting.fault, &reply)
        }
        None => {
            let until = waiting.until;
            world.polls.insert(ticket, waiting);
            Verdict::Wait { ticket, until }
        }
    }
}

/// Forgets a long poll whose client has gone. Nothing happens if it has had its verdict.
pub fn abandon(world: &mut World, ticket: Ticket) {
    if let Some(waiting) = world.polls.get(&ticket) {
        let record = waiting.record;
        forget(world, ticket);
        note(world, record, Outcome::Abandoned);
    }
}

fn forget(world: &mut World, ticket: Ticket) {
    let waiting = world.polls.remove(&ticket).expect("only polls that wait are forgotten");
    let bot = world.bot_mut(waiting.bot);
    if bot.waiting == Some(ticket) {
        bot.waiting = None;
    }
}

/// Lets a poll wait, with the fault that will strike its answer. A half-open one waits for nothing.
fn wait(world: &mut World, ticket: Ticket, until: Millis, fault: Option<Fault>) -> Verdict {
    let waiting = world.polls.get_mut(&ticket).expect("it has just begun to wait");
    waiting.fault = fault;
    let record = waiting.record;
    match fault {
        Some(Fault::HalfOpen) => {
            forget(world, ticket);
            strike(world, record, Fault::HalfOpen, Some(200))
        }
        None | Some(_) => Verdict::Wait { ticket, until },
    }
}

fn conclude(world: &mut World, record: u64, fault: Option<Fault>, reply: &Reply) -> Verdict {
    let answer = Answer::json(reply);
    let Some(fault) = fault else {
        let description = reply.as_ref().err().map(|refusal| refusal.description.clone());
        note(world, record, Outcome::Answered { status: answer.status, description });
        return Verdict::Answer(answer);
    };
    let took_effect = Some(answer.status);
    match fault {
        Fault::Slow(delay) => {
            note(world, record, Outcome::Struck { fault: fault.name(), took_effect });
            Verdict::Answer(Answer { delay, ..answer })
        }
        Fault::BadJson => {
            note(world, record, Outcome::Struck { fault: fault.name(), took_effect });
            let half = answer.body.chars().count() / 2;
            Verdict::Answer(Answer { body: answer.body.chars().take(half).collect(), ..answer })
        }
        Fault::Hang
        | Fault::HalfOpen
        | Fault::Reset(_)
        | Fault::Html(..)
        | Fault::RetryAfter(_)
        | Fault::Unauthorized
        | Fault::Conflict => strike(world, record, fault, took_effect),
    }
}

/// Notes a fault and gives what it makes of the answer.
fn strike(world: &mut World, record: u64, fault: Fault, took_effect: Option<u16>) -> Verdict {
    note(world, record, Outcome::Struck { fault: fault.name(), took_effect });
    match fault {
        Fault::Hang | Fault::HalfOpen => Verdict::Hang,
        Fault::Reset(Effect::Missing | Effect::Taken) => Verdict::Reset,
        Fault::Html(status, Effect::Missing | Effect::Taken) => Verdict::Answer(Answer::html(status)),
        Fault::RetryAfter(seconds) => Verdict::Answer(Answer::json(&Err(Refusal::too_many(seconds.into())))),
        Fault::Unauthorized => Verdict::Answer(Answer::json(&Err(Refusal::unauthorized()))),
        Fault::Conflict => Verdict::Answer(Answer::json(&Err(Refusal::other_poll()))),
        Fault::Slow(_) | Fault::BadJson => unreachable!("these two change an answer that is there"),
    }
}

fn note(world: &mut World, record: u64, outcome: Outcome) {
    if let Some(record) = world.log.get_mut(record) {
        record.outcome = outcome;
    }
}

fn serve(world: &mut World, now: Millis, request: &Request, record: u64) -> Polled {
    let bot = match authorize(world, &request.token) {
        Ok(bot) => bot,
        Err(refusal) => return Polled::Answer(Err(refusal)),
    };
    if let Some(record) = world.log.get_mut(record) {
        record.bot = Some(bot);
    }
    let args = Args { body: &request.body, files: &request.files };
    let reply = match Method::parse(&request.method) {
        None => Err(Refusal::not_found()),
        Some(Method::GetUpdates) => return get_updates(world, now, bot, &args, record),
        Some(Method::GetMe) => Ok(world.me_json(bot)),
        Some(Method::SendMessage) => sending::send_message(world, now, bot, &args),
        Some(Method::SendDocument) => sending::send_document(world, now, bot, &args),
        Some(Method::EditMessageText) => sending::edit_text(world, now, bot, &args),
        Some(Method::EditMessageReplyMarkup) => sending::edit_markup(world, now, bot, &args),
        Some(Method::DeleteMessage) => sending::delete_message(world, bot, &args),
        Some(Method::AnswerCallbackQuery) => sending::answer_press(world, now, bot, &args),
        Some(Method::LeaveChat) => sending::leave_chat(world, now, bot, &args),
        Some(Method::SetMyCommands) => set_commands(world, bot, &args),
        Some(Method::GetMyCommands) => {
            commands_key(&args).map(|key| world.bot(bot).commands.get(&key).cloned().unwrap_or_else(|| json!([])))
        }
        Some(Method::DeleteWebhook) => {
            world.bot_mut(bot).webhook = None;
            Ok(json!(true))
        }
        Some(Method::GetWebhookInfo) => {
            let url = world.bot(bot).webhook.clone().unwrap_or_default();
            Ok(json!({ "url": url, "has_custom_certificate": false, "pending_update_count": 0 }))
        }
    };
    Polled::Answer(reply)
}

/// Whose token it is. What does not look like a token is not even a path of the server.
fn authorize(world: &World, token: &str) -> Result<BotId, Refusal> {
    let bot = BotId::of_token(token).ok_or_else(Refusal::not_found)?;
    match world.bots.get(&bot) {
        Some(known) if known.token == token => Ok(bot),
        None | Some(_) => Err(Refusal::unauthorized()),
    }
}

fn set_commands(world: &mut World, bot: BotId, args: &Args<'_>) -> Reply {
    let commands = match args.structure("commands")? {
        Some(Value::Array(commands)) if commands.len() <= 100 => commands,
        Some(Value::Array(_)) => return Err(Refusal::bad_request("BOT_COMMANDS_TOO_MUCH")),
        None | Some(_) => {
            return Err(Refusal::bad_request("can't parse commands: expected an Array of BotCommand"));
        }
    };
    for command in &commands {
        let field = |key: &str| command.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = field("command").trim_start_matches('/');
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || !(1..=32).contains(&name.len()) {
            return Err(Refusal::bad_request("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&field("description").chars().count()) {
            return Err(Refusal::bad_request("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    let key = commands_key(args)?;
    world.bot_mut(bot).commands.insert(key, Value::Array(commands));
    Ok(json!(true))
}

/// Commands are kept by scope and language.
fn commands_key(args: &Args<'_>) -> Result<String, Refusal> {
    let scope = args.structure("scope")?.unwrap_or_else(|| json!({ "type": "default" }));
    Ok(format!("{scope} {}", args.text("language_code").unwrap_or_default()))
}
