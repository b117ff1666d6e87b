//! Which texts are secret on this machine: the bot's token, and values of the environment that tasks get.

use super::token::Token;
use crate::config::Config;
use crate::policy;
use crate::redact::{Secrets, is_secret_name};
use std::collections::BTreeSet;

/// The token, and the values of those variables that kinds pass on and whose names say that they are secret, or that the
/// configuration calls so.
pub fn of(config: &Config, token: Option<&Token>) -> Secrets {
    let values: Vec<String> = names(config).into_iter().filter_map(|name| std::env::var(name).ok()).collect();
    // The secret half alone gives the bot away too.
    let token = token.into_iter().flat_map(|token| [token.expose(), token.secret()]);
    Secrets::new(token.chain(values.iter().map(String::as_str)))
}

/// Variables whose values are too short to be told from other texts: these are shown.
pub fn too_short(config: &Config) -> Vec<&str> {
    let short = |name: &&str| std::env::var(name).is_ok_and(|value| value.trim().len() < policy::SECRET_BYTES_MIN);
    names(config).into_iter().filter(short).collect()
}

fn names(config: &Config) -> BTreeSet<&str> {
    let passed_on = config.kinds.values().flat_map(|kind| &kind.env).filter(|name| is_secret_name(name));
    passed_on.chain(&config.record.secret_env).map(String::as_str).collect()
}
