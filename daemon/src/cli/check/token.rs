//! The bot's token, as the service will get it. Its content is never told.

use super::code::Code;
use super::findings::Findings;
use super::units::{Credential, Installed};
use super::who::Wanted;
use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use crate::real::token::{self, Token};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The token, where this user can read it.
pub(super) fn look(config: &Config, installed: &Installed, findings: &mut Findings) -> Option<Token> {
    let Some(telegram) = &config.telegram else {
        findings.add(Code::TokenNone, "no [telegram] section: steered from the command line only");
        return None;
    };
    let token = match &installed.credential {
        Some(Credential::File(source)) => from_credential(source, findings)?,
        Some(Credential::Sealed) => {
            findings.add(
                Code::TokenUnseen,
                "systemd alone can read the token: whether it is one shows when the daemon starts",
            );
            return None;
        }
        None => {
            let file = telegram.token_file.as_deref();
            see_that_service_reads(file, installed, findings);
            from_usual_places(file, findings)?
        }
    };
    if let Some(fatal) = own_bot_is_no_operator(config, &token) {
        findings.refused(Code::TokenOwnBot, &fatal);
    }
    findings.add(Code::Token, format!("token of bot {}", token.bot_id()));
    Some(token)
}

/// The bot's own id is easily copied for a person's.
pub(crate) fn own_bot_is_no_operator(config: &Config, token: &Token) -> Option<Fatal> {
    let operator = config.operators.get(&token.bot_id())?;
    let text = format!("operator.{}.id: {} is the bot itself, not a person", operator.name, operator.id);
    Some(Fatal::new(ExitCode::ConfigInvalid, text))
}

/// systemd reads it as root and hands it to the daemon, which looks there before all other places.
fn from_credential(source: &Path, findings: &mut Findings) -> Option<Token> {
    let shown = source.display();
    if std::fs::metadata(source).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        findings.add(Code::TokenExposed, format!("others may read the token file {shown}: chmod 600 {shown}"));
    }
    match token::from_file(source) {
        Ok(token) => Some(token),
        Err(_) if is_closed(source) => {
            let text = format!("{shown} is for root alone: run the check as root to see that it holds a token");
            findings.add(Code::TokenUnseen, text);
            None
        }
        // That it is missing is said of the unit.
        Err(_) if !source.exists() => None,
        Err(fatal) => {
            findings.refused(Code::TokenUnreadable, &fatal);
            None
        }
    }
}

/// It is there, or somewhere where this user may not look, and can't be read by them.
fn is_closed(path: &Path) -> bool {
    std::fs::File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn from_usual_places(file: Option<&Path>, findings: &mut Findings) -> Option<Token> {
    match token::find(file) {
        Ok(found) => {
            if let Some(warning) = found.warning {
                findings.add(Code::TokenExposed, warning);
            }
            Some(found.token)
        }
        Err(fatal) => {
            findings.refused(Code::TokenUnreadable, &fatal);
            None
        }
    }
}

/// Root reads everything; the service's user may not.
fn see_that_service_reads(file: Option<&Path>, installed: &Installed, findings: &mut Findings) {
    if let (Some(file), Some(who)) = (file, &installed.who)
        && file.exists()
        && let Err(why) = who.may(file, Wanted::Read)
    {
        let text = format!(
            "the service can't read the token file: {why}; hand it over with LoadCredential={}:{}, or give the file to its user",
            token::TOKEN_CREDENTIAL,
            file.display()
        );
        findings.add(Code::TokenUnreadable, text);
    }
}
