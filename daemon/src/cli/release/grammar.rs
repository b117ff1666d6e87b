//! What can be typed after `mainstay release`.

use super::super::grammar::duration_ms;
use crate::config::keys::show_ms;
use crate::policy;
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

/// Where releases are, unless another folder is named.
const ROOT: &str = "/opt/mainstay";

/// The whole command.
pub(in super::super) fn command() -> Command {
    Command::new("release")
        .about("puts a release in place, switches to it, and back")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("root")
                .long("root")
                .global(true)
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(ROOT)
                .help("the folder of releases"),
        )
        .subcommands([stage(), activate(), roll_back(), bless(), finish(), list(), status()])
        .after_help("Example: mainstay release activate 0.1.0-1f5504b0abcd")
        .after_long_help(
            "A release is staged, then activated: it is verified, looks at this machine by itself (check), the database is \
             backed up, `current` leads to it, the daemon is started anew and watched. One that proves itself is blessed. One \
             that does not is left again, by itself and once, for the last that was blessed. Running tasks are not touched by \
             any of it. A switch whose command was cut off is ended by itself (finish); with one that stands still, activate without \
             an id goes on, and rollback without an id undoes it.\n\n\
             --supervisor CMD, where there is no systemd: a program with its arguments, separated by spaces. CMD restart ends \
             the daemon (a silent one by force) and starts it as current/bin/mainstay. CMD status succeeds, and prints restarts=N, \
             how often it was started anew by itself; a line that begins with `failed` says that it is not started again. \
             --supervisor systemd:UNIT, where the daemon's unit has another name.\n\n\
             Example: mainstay release activate 0.1.0-1f5504b0abcd",
        )
}

fn id(help: &'static str) -> Arg {
    Arg::new("id").value_name("ID").help(help)
}

fn limit(name: &'static str, default_ms: i64, help: &str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("TIME")
        .value_parser(duration_ms as fn(&str) -> Result<i64, String>)
        .help(format!("{help} [default: {}]", show_ms(default_ms)))
}

fn ready() -> Arg {
    limit("ready", policy::DEPLOY_READY_MS, "from the restart to the first answer")
}

fn answer() -> Arg {
    limit("answer", policy::DEPLOY_ANSWER_MS, "each answer of the daemon that is watched")
}

fn supervisor() -> Arg {
    Arg::new("supervisor")
        .long("supervisor")
        .value_name("CMD")
        .help("what starts the daemon anew, where it is not systemd with mainstay.service")
}

fn force(help: &'static str) -> Arg {
    Arg::new("force").long("force").value_name("REASON").help(help)
}

fn stage() -> Command {
    Command::new("stage")
        .about("verifies a release and puts it beside the others; changes nothing that runs")
        .arg(
            Arg::new("from")
                .value_name("ARCHIVE|FOLDER")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("a release as an archive (.tar.gz), or unpacked"),
        )
        .arg(
            Arg::new("key").long("key").value_name("KEY").help(
                "the public key that has to vouch for it (64 hex digits, or a file) [default: any in keys/*.pub]",
            ),
        )
        .after_help("Example: mainstay release stage mainstay-0.1.0-1f5504b0abcd-x86_64-unknown-linux-gnu.tar.gz")
}

fn activate() -> Command {
    Command::new("activate")
        .about("switches to a release, watches it, and goes back by itself if it fails")
        .arg(id("the release; without it, goes on with the switch that stands still"))
        .arg(limit("soak", policy::DEPLOY_SOAK_MS, "watched for so long before it is blessed"))
        .args([ready(), answer(), supervisor()])
        .arg(
            Arg::new("no-way-back")
                .long("no-way-back")
                .action(ArgAction::SetTrue)
                .help("also where no other release could go on with the database or the configuration"),
        )
        .arg(force("why it is tried again though it failed before"))
        .after_help("Example: mainstay release activate 0.1.0-1f5504b0abcd --soak 5m")
}

fn roll_back() -> Command {
    Command::new("rollback")
        .about("goes back to the last blessed release, or undoes the switch that stands still")
        .arg(id("to this release instead"))
        .args([ready(), answer(), supervisor()])
        .arg(force("why it is gone back to though it was never blessed, or failed"))
        .after_help("Example: mainstay release rollback")
}

fn bless() -> Command {
    Command::new("bless")
        .about("says that the current release is good: it can be gone back to")
        .arg(id("the current release, to be sure"))
        .arg(force("why, though it does not answer"))
        .after_help("Example: mainstay release bless")
}

fn finish() -> Command {
    Command::new("finish")
        .about("ends a switch that was cut off: undoes one that has changed nothing, watches any other to its end")
        .arg(supervisor())
        .after_help(
            "A command that is at work is waited for. mainstay-release.service does this as soon as one is cut off, also by a \
             loss of power; where there is no systemd, activate and rollback without an id go on as well.\n\n\
             Example: mainstay release finish",
        )
}

fn list() -> Command {
    Command::new("list").about("the releases that are here").after_help("Example: mainstay release list")
}

fn status() -> Command {
    Command::new("status")
        .about("which release runs, how the last switch ended, and where one under way stands")
        .after_help("Example: mainstay release status")
}
