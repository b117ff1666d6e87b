//! A Bot API server of our own: the facts about Telegram that decide the daemon's design, as something to run against.
//!
//! The server is a [`World`], plain data, and three functions over it: [`handle`] takes a request and gives a [`Verdict`],
//! [`resume`] asks again for a long poll that waits, [`abandon`] forgets one whose client has gone. Time is an argument and
//! ids come from a seed, so that the same calls give the same bytes. [`http`] puts it on a connection, [`Server`] on the
//! loopback interface.
//!
//! Reading order: [`World`] (what there is), `serve` (a request's way through), `polling` (how updates queue up and go out),
//! `sending` and `limits` (what a bot may do), [`People`] (what persons and tests do), [`Screen`] (what persons see),
//! [`FaultPlan`] (what goes wrong on purpose).
//!
//! It deliberately leaves out what the daemon must not use: `parse_mode`, inline mode, media other than documents, and
//! setting a webhook by request.

mod books;
mod faults;
mod form;
pub mod http;
mod ids;
mod keyboard;
mod limits;
mod methods;
mod people;
mod polling;
mod render;
mod request;
mod ring;
mod screen;
mod sending;
mod serve;
mod server;
mod text;
mod world;

#[cfg(test)]
mod tests;

pub use books::{Change, Outcome, Record};
pub use faults::{Effect, Fault, FaultPlan, Methods, Quota, Rule, RuleId};
pub use ids::{BotId, ChatId, MessageId, Millis, PressId, UpdateId, UserId};
pub use limits::{Limits, Window};
pub use methods::Method;
pub use people::{NoSuchButton, People};
pub use polling::{FIRST_UPDATE_IDS, UpdateKind};
pub use request::{Answer, File, Request, Ticket, Verdict};
pub use ring::Ring;
pub use screen::{Screen, Seen, SeenButton, Toast};
pub use serve::{abandon, handle, resume};
pub use server::{Guard, Server};
pub use world::World;
