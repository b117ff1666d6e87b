//! What can be typed: the table of commands in clap's words, the commands of the machine, the global flags.

use crate::command::{COMMANDS, Syntax, Takes, parse_argv};
use crate::event::Fact;
use crate::exit::{ExitCode, Fatal};
use crate::id::TaskId;
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

/// Chat commands that mean something else here: clap has `help`, and the daemon is started with `run`.
const CHAT_ONLY: [&str; 2] = ["start", "help"];

/// The rows of the table that are commands here.
pub(crate) fn rows() -> impl Iterator<Item = &'static Syntax> {
    COMMANDS.iter().filter(|syntax| !CHAT_ONLY.contains(&syntax.name))
}

/// All of it.
pub(crate) fn command() -> Command {
    public().subcommands([commands_md(), facts()])
}

/// As much of it as this line needs: a client lives for a millisecond, of which building and dropping all the other commands
/// would take a tenth.
pub(crate) fn for_line(args: &[OsString]) -> Command {
    match meant(args) {
        Some(syntax) => root().subcommand(table_command(syntax)),
        None => command(),
    }
}

/// The command of the table that a line is certainly about.
fn meant(args: &[OsString]) -> Option<&'static Syntax> {
    let mut args = args.iter().skip(1).map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        match arg? {
            "--json" | "-q" | "--quiet" => {}
            "--config" | "--color" => _ = args.next()?,
            flag if flag.starts_with("--config=") || flag.starts_with("--color=") => {}
            word => return rows().find(|syntax| syntax.name == word),
        }
    }
    None
}

/// What people are told of. Completions would offer hidden commands too.
pub(crate) fn public() -> Command {
    root().subcommands(rows().map(table_command)).subcommands([
        run(),
        check(),
        backup(),
        restore(),
        logs(),
        metrics(),
        policy(),
        super::release::command(),
        verify_log(),
        install(),
        uninstall(),
        completions(),
        man(),
    ])
}

/// What stands before any command.
fn root() -> Command {
    let codes: String =
        ExitCode::ALL.iter().map(|code| format!("\n  {:>3}  {}", code.number(), code.meaning())).collect();
    Command::new("mainstay")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs heavy tasks on this machine, steered from Telegram and from here")
        .after_help("Example: mainstay newtask build main branch, release profile")
        .after_long_help(format!("Exit codes:{codes}\n\nExample: mainstay newtask build main branch, release profile"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .args(globals())
}

fn globals() -> [Arg; 4] {
    [
        Arg::new("config")
            .long("config")
            .global(true)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("configuration [default: $MAINSTAY_CONFIG, ./mainstay.toml, /etc/mainstay/mainstay.toml]"),
        Arg::new("json").long("json").global(true).action(ArgAction::SetTrue).help("answer for programs, in one line"),
        Arg::new("quiet").short('q').long("quiet").global(true).action(ArgAction::SetTrue).help("no remarks"),
        Arg::new("color")
            .long("color")
            .global(true)
            .value_name("WHEN")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .default_value("auto")
            .hide_possible_values(true)
            .help("auto, always or never"),
    ]
}

/// `--color` as far as it can be told before parsing, for the parser's own messages.
pub(crate) fn color_wanted(args: &[OsString]) -> String {
    let mut args = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if arg == "--color" {
            return args.next().unwrap_or_default().into_owned();
        }
        if let Some(when) = arg.strip_prefix("--color=") {
            return when.to_owned();
        }
    }
    "auto".into()
}

fn table_command(syntax: &'static Syntax) -> Command {
    Command::new(syntax.name)
        .about(syntax.about)
        .after_help(format!("Example: mainstay {} {}", syntax.name, syntax.example).trim_end().to_owned())
        .defer(with_args)
}

fn with_args(command: Command) -> Command {
    let Some(syntax) = rows().find(|syntax| syntax.name == command.get_name()) else { return command };
    let command = command.args(syntax.args.iter().map(table_arg)).arg(
        Arg::new("key")
            .long("key")
            .value_name("KEY")
            .hide(true)
            .help("names this request: the same key is the same request, however often it is sent"),
    );
    match syntax.name {
        "newtask" => command.args(newtask_args()),
        "drain" => command.arg(drain_timeout()),
        "trace" => command.arg(
            Arg::new("perfetto")
                .long("perfetto")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("write it to a new file that https://ui.perfetto.dev shows; - is standard output"),
        ),
        "ops" => command.arg(
            Arg::new("watch")
                .long("watch")
                .action(ArgAction::SetTrue)
                .help("again every two seconds until interrupted; with --json a line each"),
        ),
        _ => command,
    }
}

fn table_arg(arg: &'static crate::command::Arg) -> Arg {
    let clap = Arg::new(arg.name).help(arg.text()).required(arg.required);
    match arg.takes {
        Takes::Task => clap.value_name("ID").value_parser(task_id as fn(&str) -> Result<String, String>),
        Takes::Word => clap.value_name(arg.name.to_uppercase()),
        // Not checked here: `list running` leaves the number out, which the table's own parser understands.
        Takes::Number { .. } => clap.value_name(arg.name.to_uppercase()),
        Takes::OneOf(words) => clap
            .value_name(arg.name.to_uppercase())
            .ignore_case(true)
            .value_parser(ValueParser::from(PossibleValuesParser::new(words))),
        Takes::Rest { .. } => clap.value_name(arg.name.to_uppercase()).num_args(1..),
    }
}

fn task_id(text: &str) -> Result<String, String> {
    match text.parse::<TaskId>() {
        Ok(id) if id.0 > 0 => Ok(id.to_string()),
        Ok(_) | Err(_) => Err("no task number (like 42)".into()),
    }
}

fn positive(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "no positive number".into())
}

fn newtask_args() -> [Arg; 3] {
    [
        Arg::new("prompt-file")
            .long("prompt-file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with("prompt")
            .help("read the prompt from a file (a prompt of - reads standard input)"),
        Arg::new("wait")
            .long("wait")
            .action(ArgAction::SetTrue)
            .help("wait for its end, and exit with 0 only if it succeeded"),
        Arg::new("wait-timeout")
            .long("wait-timeout")
            .value_name("TIME")
            .requires("wait")
            .value_parser(duration_ms as fn(&str) -> Result<i64, String>)
            .help("wait no longer than this, like 10m; the task goes on"),
    ]
}

fn drain_timeout() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("TIME")
        .value_parser(duration_ms as fn(&str) -> Result<i64, String>)
        .help("wait no longer than this for what runs, like 10m; it goes on draining")
}

pub(crate) fn duration_ms(text: &str) -> Result<i64, String> {
    crate::config::keys::read_ms(text).ok_or_else(|| "no duration (like 90s or 1h30m)".into())
}

fn run() -> Command {
    Command::new("run")
        .about("be the daemon, in the foreground")
        .arg(Arg::new("log").long("log").value_name("LEVEL").help(
            "error, warn, info, debug or trace, also for single targets: info,mainstay=debug [default: $MAINSTAY_LOG, info]",
        ))
        .after_help("Example: mainstay run --config /etc/mainstay/mainstay.toml")
}

fn check() -> Command {
    Command::new("check")
        .about("is the machine ready to run the daemon? changes nothing")
        .arg(
            Arg::new("units")
                .long("units")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("folder with mainstay.service [default: /etc/systemd/system, where it is there]"),
        )
        .arg(
            Arg::new("scratch")
                .long("scratch")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("folder for the copy of the database, removed at the end [default: $TMPDIR, /var/tmp]"),
        )
        .arg(Arg::new("offline").long("offline").action(ArgAction::SetTrue).help("Telegram is not asked"))
        .after_help("Example: mainstay check --config /etc/mainstay/mainstay.toml")
        .after_long_help(
            "Before an upgrade, the new program is asked: it opens a copy of the database as its start would. As root it judges for \
             the user of the unit. Exits with the code of the first error.\n\n\
             Example: mainstay check --config /etc/mainstay/mainstay.toml",
        )
}

fn backup() -> Command {
    Command::new("backup")
        .about("a verified copy of the database; also while the daemon runs")
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("folder for back-ups, which has to be there [default: backups in the state directory]"),
        )
        .arg(
            Arg::new("keep")
                .long("keep")
                .value_name("N")
                .value_parser(positive as fn(&str) -> Result<u32, String>)
                .help(format!(
                    "so many of the newest stay there, with this one; older ones are removed [default: {}]",
                    crate::policy::BACKUPS_KEPT
                )),
        )
        .after_help("Example: mainstay backup --to /mnt/backup/mainstay --keep 30")
}

fn restore() -> Command {
    Command::new("restore")
        .about("a back-up in the place of the database; what waited then is held, nothing is removed")
        .arg(
            Arg::new("backup")
                .value_name("BACKUP")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("a file that `mainstay backup` made, or a database that an earlier restore set aside"),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .action(ArgAction::SetTrue)
                .help("do it; without this it is only told what would be"),
        )
        .arg(
            Arg::new("another-record")
                .long("another-record")
                .action(ArgAction::SetTrue)
                .help("also where the back-up is of another record than the database that is there"),
        )
        .after_help("Example: mainstay restore /var/lib/mainstay/backups/mainstay-20261129T001000Z-1204.db --yes")
}

fn policy() -> Command {
    Command::new("policy")
        .about("every time limit and retry in force, and where it comes from")
        .arg(Arg::new("class").value_name("CLASS").num_args(0..).help("only these, as \"telegram poll\" or poll"))
        .after_help("Example: mainstay policy task run")
}

fn verify_log() -> Command {
    Command::new("verify-log")
        .about("is the record what was recorded? also while the daemon runs")
        .arg(
            Arg::new("known")
                .long("known")
                .value_name("SEQ:HASH")
                .value_parser(fingerprint as fn(&str) -> Result<(i64, String), String>)
                .help("a fingerprint that this command told before: the record has to contain it still"),
        )
        .after_help("Example: mainstay verify-log --known 1204:9f86d081884c7d65")
        .after_long_help(
            "Whoever can write to the database can write a record of their own from the first event on, or cut its end off. \
             A fingerprint that is kept elsewhere shows both.\n\nExample: mainstay verify-log --known 1204:9f86d081884c7d65",
        )
}

fn fingerprint(text: &str) -> Result<(i64, String), String> {
    let hex = |hash: &str| (8..=64).contains(&hash.len()) && hash.chars().all(|c| c.is_ascii_hexdigit());
    match text.split_once(':').map(|(seq, hash)| (seq.parse(), hash)) {
        Some((Ok(seq), hash)) if seq > 0 && hex(hash) => Ok((seq, hash.to_lowercase())),
        Some(_) | None => Err("a fingerprint is an event's number, a colon, and 8 to 64 hex digits".into()),
    }
}

fn logs() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("logs")
        .about("what has happened, event by event; also while the daemon is down")
        .arg(
            text("last", "N", "so many of the newest")
                .value_parser(positive as fn(&str) -> Result<u32, String>)
                .default_value("50"),
        )
        .arg(text("task", "ID", "of this task").value_parser(task_id as fn(&str) -> Result<String, String>))
        .arg(text("trace", "TRACE", "of this trace"))
        .arg(
            text("kind", "EVENT", "of this kind of event, like refused or ended")
                .value_parser(ValueParser::from(PossibleValuesParser::new(Fact::KINDS)))
                // There are dozens: a wrong one is told all of them, and completions offer them.
                .hide_possible_values(true),
        )
        .arg(
            text("since", "TIME", "not older than this, like 2h")
                .value_parser(duration_ms as fn(&str) -> Result<i64, String>),
        )
        .arg(Arg::new("follow").short('f').long("follow").action(ArgAction::SetTrue).help("go on with what comes"))
        .after_help("Example: mainstay logs --task 42 --follow")
}

fn metrics() -> Command {
    Command::new("metrics")
        .about("how production does, by its own record; also while the daemon is down")
        .arg(
            Arg::new("window")
                .long("window")
                .value_name("TIME")
                .value_parser(duration_ms as fn(&str) -> Result<i64, String>)
                .default_value("7d")
                .help("not older than this, counted in days from now"),
        )
        .after_help("Example: mainstay metrics --window 30d")
        .after_long_help(
            "The rows, targets and rules are those of the gate. A record is the daemon's own word: what only somebody \
             outside could have seen stays inconclusive, and each row says so.\n\nExample: mainstay metrics --window 30d",
        )
}

fn root_fs(does: &'static str) -> [Arg; 2] {
    [
        Arg::new("root-fs")
            .long("root-fs")
            .value_name("DIR")
            .value_parser(value_parser!(PathBuf))
            .help("below this folder instead of /, for images and trials: no user is made, no systemctl called"),
        Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help(does),
    ]
}

fn install() -> Command {
    Command::new("install")
        .about("make this program a service of this machine (systemd); starts nothing, overwrites no configuration")
        .args(root_fs("only say what would be done"))
        .arg(
            Arg::new("closed")
                .long("closed")
                .action(ArgAction::SetTrue)
                .help("close tasks in as the daemon is: no sudo, nothing written outside the state directory"),
        )
        .after_help("Example: mainstay install --dry-run")
}

fn uninstall() -> Command {
    Command::new("uninstall")
        .about("stop the service and remove the program; configuration, record and back-ups stay")
        .args(root_fs("only say what would be removed"))
        .arg(
            Arg::new("purge")
                .long("purge")
                .action(ArgAction::SetTrue)
                .help("remove those too; asks for the name of the service to be typed"),
        )
        .after_help("Example: mainstay uninstall --dry-run")
}

fn completions() -> Command {
    Command::new("completions")
        .about("completions for a shell, on standard output")
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(clap_complete::Shell)))
        .after_help("Example: mainstay completions bash > /etc/bash_completion.d/mainstay")
}

fn man() -> Command {
    Command::new("man")
        .about("the manual page, on standard output")
        .arg(Arg::new("command").value_name("COMMAND").help("of this command"))
        .after_help("Example: mainstay man newtask | man -l -")
}

fn commands_md() -> Command {
    Command::new("commands-md").hide(true).about("docs/COMMANDS.md, on standard output")
}

fn facts() -> Command {
    Command::new("facts")
        .hide(true)
        .about("what a release says of this program, on standard output")
        .arg(
            Arg::new("default-config")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("the configuration that the release brings along"),
        )
        .after_help("Example: mainstay facts deploy/mainstay.toml")
}

/// The words that the daemon gets, checked as far as that is possible without it.
pub(crate) fn argv(syntax: &'static Syntax, matches: &ArgMatches) -> Result<Vec<String>, Fatal> {
    let mut argv = vec![syntax.name.to_owned()];
    for arg in syntax.args {
        for value in matches.get_raw(arg.name).into_iter().flatten() {
            let Some(value) = value.to_str() else {
                return Err(Fatal::new(ExitCode::Usage, format!("{} is no UTF-8 text", arg.name)));
            };
            // `#42` is for people.
            let value = if arg.takes == Takes::Task { value.trim_start_matches('#') } else { value };
            argv.push(value.to_owned());
        }
    }
    parse(&argv).map(|_| argv)
}

/// As the daemon will read it.
pub(crate) fn parse(argv: &[String]) -> Result<crate::command::Command, Fatal> {
    parse_argv(argv).map_err(|error| {
        let name = argv.first().map_or("", String::as_str);
        // The table speaks as in the chat; here there is no slash.
        Fatal::new(ExitCode::Usage, error.text.replace(&format!("/{name}"), &format!("mainstay {name}")))
    })
}
