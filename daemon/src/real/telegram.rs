//! The Bot API. (Its place until it is merged.)

use super::token::Token;
use crate::config::TelegramConfig;
use crate::exit::Fatal;
use crate::ports::{Call, CallError, CallErrorKind, Called, LocalFuture, Poll, Telegram};
use std::time::Duration;

/// Nothing.
pub struct Absent(i64);

impl Telegram for Absent {
    fn bot_id(&self) -> i64 {
        self.0
    }

    fn poll(&self, _: Poll) -> LocalFuture<'_, Result<Vec<teloxide_core::types::Update>, CallError>> {
        Box::pin(std::future::ready(Err(absent())))
    }

    fn call(&self, _: Call, _: Duration) -> LocalFuture<'_, Result<Called, CallError>> {
        Box::pin(std::future::ready(Err(absent())))
    }
}

fn absent() -> CallError {
    CallError { kind: CallErrorKind::NotSent, text: "not in this build".into() }
}

/// A client of the Bot API.
///
/// # Errors
/// The address is no address.
pub fn connect(_: &TelegramConfig, token: Token) -> Result<Absent, Fatal> {
    Ok(Absent(token.bot_id()))
}
