//! Telegram, where it can be reached. Nothing is polled: that would cut off the daemon that is running.

use super::code::Code;
use super::findings::Findings;
use crate::config::Config;
use crate::policy;
use crate::ports::{Call, CallError, CallErrorKind, Called, Telegram};
use crate::real::telegram::BotTelegram;
use crate::real::token::Token;
use std::time::Duration;

const GIVE_UP: Duration = Duration::from_millis(policy::CALL_GIVE_UP_MS.unsigned_abs());

/// Asks who the bot is, and whether somebody else is given its updates.
pub(super) fn look(config: &Config, token: &Token, findings: &mut Findings) {
    let Some(telegram) = &config.telegram else { return };
    let bot = match BotTelegram::new(&telegram.api_url, token.expose()) {
        Ok(bot) => bot,
        Err(error) => {
            return findings.add(Code::TelegramAddress, format!("failed to {error}: check telegram.api_url"));
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let text = format!("Telegram was not asked, for want of a runtime ({error}): see ulimit -n");
            return findings.add(Code::TelegramUnreachable, text);
        }
    };
    runtime.block_on(async {
        match bot.call(Call::GetMe, GIVE_UP).await {
            Ok(Called::Me { username, .. }) => findings.add(Code::Telegram, format!("Telegram knows the bot: @{username}")),
            Ok(Called::Message(_) | Called::Done) => unreachable!("who it is was asked"),
            Err(error) => return unanswered(&error, findings),
        }
        // A server of one's own may not know the question, and then it has no webhooks either.
        if bot.has_webhook(GIVE_UP).await == Ok(true) {
            let text = "a webhook is set for this bot, so Telegram gives its updates to somebody else and refuses polls: stop the \
                        program that set it, then call the Bot API's method deleteWebhook";
            findings.add(Code::TelegramWebhook, text);
        }
    });
}

fn unanswered(error: &CallError, findings: &mut Findings) {
    if error.kind == CallErrorKind::Unauthorized {
        let text = format!("Telegram does not know the token ({}): get the right one from @BotFather", error.text);
        return findings.add(Code::TelegramTokenWrong, text);
    }
    let text = format!(
        "Telegram does not answer as it should ({}): see network, proxy (HTTPS_PROXY) and telegram.api_url; the daemon starts and tries on",
        error.text
    );
    findings.add(Code::TelegramUnreachable, text);
}
