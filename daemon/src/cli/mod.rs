//! The command line: the same commands as in the chat, from the same table, and those that only make sense on the machine.
//!
//! [`grammar`] says what can be typed, [`ask`] carries a command of the table to the daemon, [`client`] is the wire;
//! [`serve`] is the daemon itself. Nothing here decides what a command means.

mod as_owner;
#[expect(clippy::disallowed_methods, reason = "the client waits for the daemon, and has nothing else to do")]
mod ask;
mod backup;
mod check;
#[expect(clippy::disallowed_methods, reason = "the client waits for the daemon, and has nothing else to do")]
mod client;
pub mod docs;
#[expect(clippy::disallowed_methods, reason = "the client waits for the daemon, and has nothing else to do")]
mod drain;
mod facts;
mod grammar;
mod install;
#[expect(clippy::disallowed_methods, reason = "following looks again after a pause; it is a process of its own")]
mod logs;
mod metrics;
mod perfetto;
mod policy;
mod progress;
#[expect(clippy::disallowed_methods, reason = "waits for programs and for the daemon, and has nothing else to do")]
mod release;
mod restore;
mod serve;
mod verify;

use crate::exit::{ExitCode, Fatal};
use crate::real::complain::complain;
use crate::real::config_file;
use clap::{ArgMatches, ColorChoice};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// What holds for every command.
pub(crate) struct Options {
    config: Option<PathBuf>,
    json: bool,
    quiet: bool,
    color: ColorChoice,
}

impl Options {
    fn of(matches: &ArgMatches) -> Options {
        Options {
            config: matches.get_one::<PathBuf>("config").cloned(),
            json: matches.get_flag("json"),
            quiet: matches.get_flag("quiet"),
            color: color(matches.get_one::<String>("color").map_or("auto", String::as_str)),
        }
    }

    /// The configuration file to use.
    fn config_path(&self) -> Result<PathBuf, Fatal> {
        config_file::find(self.config.as_deref())
    }

    /// A remark beside the answer.
    fn remark(&self, text: &str) {
        if !self.quiet {
            complain(format_args!("mainstay: {text}"));
        }
    }

    fn colors_stdout(&self) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

fn color(name: &str) -> ColorChoice {
    match name {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Prints to standard output; a reader that has gone (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Does what the process's arguments say.
pub fn main() -> std::process::ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let wanted = grammar::color_wanted(&args);
    let matches = match grammar::for_line(&args).color(color(&wanted)).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage.into() } else { ExitCode::Ok.into() };
        }
    };
    let options = Options::of(&matches);
    match dispatch(&matches, &options) {
        Ok(code) => code.into(),
        Err(fatal) => {
            let text = crate::real::log::clean(&fatal.text);
            for line in text.lines() {
                complain(format_args!("mainstay: {line}"));
            }
            if options.json {
                print(&serde_json::json!({ "error": text, "code": fatal.code.number() }).to_string());
            }
            fatal.code.into()
        }
    }
}

fn dispatch(matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let Some((name, matches)) = matches.subcommand() else { unreachable!("clap asks for a command") };
    match name {
        "run" => serve::run(matches, options),
        "backup" => backup::backup(matches, options),
        "check" => check::check(matches, options),
        "logs" => logs::logs(matches, options),
        "metrics" => metrics::metrics(matches, options),
        "policy" => policy::policy(matches, options),
        "release" => release::release(matches, options),
        "install" => install::install(matches, options),
        "uninstall" => install::uninstall(matches, options),
        "restore" => restore::restore(matches, options),
        "verify-log" => verify::verify_log(matches, options),
        "facts" => facts::facts(matches),
        "completions" => docs::completions(matches),
        "man" => docs::man(matches),
        "commands-md" => {
            print(docs::commands_md().trim_end());
            Ok(ExitCode::Ok)
        }
        _ => ask::ask(name, matches, options),
    }
}

#[cfg(test)]
mod tests;
