//! `check`: everything that would keep this program from starting here, or tasks from running, at once and without a change.
//!
//! It is meant for the program that is not running yet: before a switch it is asked about the installed units, the credentials,
//! and a copy of the database, which it opens as its start would. Only that copy is ever written to, in a folder of its own
//! ([`scratch`]). Each subject is a module; [`code`] is the table of all that can be found.

mod clock;
pub(super) mod code;
mod config;
mod database;
mod findings;
mod page;
mod scratch;
mod state;
mod telegram;
mod token;
#[expect(clippy::disallowed_methods, reason = "waits for another program, and has nothing else to do")]
mod tool;
mod units;
mod who;

pub(super) use token::own_bot_is_no_operator;

use super::progress;
use super::{Options, print};
use crate::config::Config;
use crate::exit::{ExitCode, Fatal};
use clap::ArgMatches;
use code::Code;
use findings::Findings;
use std::path::{Path, PathBuf};
use units::Installed;

/// What was asked for.
struct Asked<'a> {
    /// The folder with the units, if one was named.
    units: Option<&'a Path>,
    /// Where the copy of the database goes, if a place was named.
    scratch: Option<&'a Path>,
    /// Telegram is not to be asked.
    offline: bool,
    /// Somebody looks on while it takes long.
    shows_progress: bool,
}

/// Prints the findings; exits with the code of the first that is wrong.
pub(super) fn check(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let asked = Asked {
        units: matches.get_one::<PathBuf>("units").map(PathBuf::as_path),
        scratch: matches.get_one::<PathBuf>("scratch").map(PathBuf::as_path),
        offline: matches.get_flag("offline"),
        shows_progress: progress::shows(options),
    };
    let mut findings = Findings::default();
    match options.config_path() {
        Ok(path) => look(&path, &asked, &mut findings),
        Err(fatal) => findings.refused(Code::ConfigMissing, &fatal),
    }
    if options.json {
        print(&findings.json().to_string());
    } else {
        let text = findings.text(options.quiet);
        if !text.is_empty() {
            print(text.trim_end());
        }
    }
    Ok(findings.exit_code())
}

fn look(path: &Path, asked: &Asked<'_>, findings: &mut Findings) {
    let config = config::look(path, findings);
    let installed = units::look(asked.units, path, config.as_ref(), findings);
    if let Some(config) = &config {
        look_at_machine(config, &installed, asked, findings);
    }
}

/// What a valid configuration says has to be there.
fn look_at_machine(config: &Config, installed: &Installed, asked: &Asked<'_>, findings: &mut Findings) {
    if let Some(token) = token::look(config, installed, findings)
        && !asked.offline
    {
        telegram::look(config, &token, findings);
    }
    let newest_ms = match state::look(config, installed, findings) {
        Some(is_held) => database::look(config, is_held, asked, findings),
        None => None,
    };
    page::look(config, findings);
    clock::look(newest_ms, findings);
}
