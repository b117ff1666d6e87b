//! A command of the table: to the daemon and its answer to the terminal; reads also without a daemon.

use super::client::{Client, Unanswered, fresh_key};
use super::{Options, drain, grammar, perfetto, print};
use crate::command::Command;
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use crate::ports::Answer;
use crate::real::complain::complain;
use crate::real::config_file;
use crate::task::State;
use clap::ArgMatches;
use serde_json::Value;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Asks, prints, and says how to exit.
pub(super) fn ask(name: &str, matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let syntax = grammar::rows().find(|syntax| syntax.name == name).expect("clap knows the table's commands");
    let mut argv = grammar::argv(syntax, matches)?;
    if name == "newtask" {
        read_prompt(&mut argv, matches)?;
    }
    let command = grammar::parse(&argv)?;
    let path = options.config_path()?;
    let mut client = Client::new(&config_file::state_dir(&path)?);
    let key = matches.get_one::<String>("key").cloned().unwrap_or_else(fresh_key);
    let ask = |client: &mut Client, key: &str| match client.ask(key, &argv) {
        Ok(answer) if answer.data["error"] == "not_permitted" => Err(client.not_permitted()),
        Ok(answer) => Ok(answer),
        Err(Unanswered::NotRunning) if command.is_read() => offline(&path, &argv, options),
        Err(unanswered) => Err(client.fatal(&unanswered)),
    };
    if name == "ops" && matches.get_flag("watch") {
        loop {
            // A fresh key: the same one would be the same question, with the answer that was given.
            let answer = ask(&mut client, &fresh_key())?;
            if !options.json && std::io::stdout().is_terminal() {
                print("\x1b[H\x1b[2J");
            }
            show(&answer, options);
            std::thread::sleep(policy::OPS_WATCH_PAUSE);
        }
    }
    let answer = ask(&mut client, &key)?;
    if name == "newtask" && matches.get_flag("wait") && answer.ok {
        return wait(&mut client, &answer, matches, options);
    }
    if matches!(command, Command::Drain) && answer.ok {
        options.remark(&answer.text);
        return drain::wait(&mut client, matches.get_one::<i64>("timeout").copied(), options);
    }
    if let Some(file) = matches.try_get_one::<PathBuf>("perfetto").ok().flatten().filter(|_| answer.ok) {
        return perfetto::write(&answer, file, options);
    }
    show(&answer, options);
    Ok(exit_code(&command, &answer))
}

fn offline(path: &Path, argv: &[String], options: &Options) -> Result<Answer, Fatal> {
    let config = config_file::load(path)?.config;
    let answer = crate::offline::answer(&config, argv)?;
    options.remark("the daemon is not running; answered from the database");
    Ok(answer)
}

fn show(answer: &Answer, options: &Options) {
    if options.json {
        print(&answer.data.to_string());
    }
    if !answer.ok {
        for line in answer.text.lines() {
            complain(format_args!("mainstay: {line}"));
        }
    } else if !options.json {
        print(&answer.text);
    }
}

/// `ops` speaks to monitors: 0, 1, 2 as those expect.
fn exit_code(command: &Command, answer: &Answer) -> ExitCode {
    match (matches!(command, Command::Ops), answer.data["status"].as_str()) {
        (true, Some("degraded")) => ExitCode::Refused,
        (true, Some("broken")) => ExitCode::Usage,
        (_, _) if answer.ok => ExitCode::Ok,
        (_, _) => ExitCode::Refused,
    }
}

/// `newtask KIND -` and `--prompt-file`.
fn read_prompt(argv: &mut Vec<String>, matches: &ArgMatches) -> Result<(), Fatal> {
    let usage = |text: String| Fatal::new(ExitCode::Usage, text);
    let file = matches.get_one::<PathBuf>("prompt-file");
    let from_stdin = argv.len() == 3 && argv[2] == "-" || file.is_some_and(|file| file == Path::new("-"));
    let limit = policy::PROMPT_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let read = match file {
        _ if from_stdin => std::io::stdin().take(limit).read_to_end(&mut bytes),
        Some(file) => std::fs::File::open(file).and_then(|f| f.take(limit).read_to_end(&mut bytes)),
        None => Ok(0),
    };
    read.map_err(|e| usage(format!("can't read the prompt: {e}")))?;
    if from_stdin || file.is_some() {
        argv.truncate(2);
        argv.push(String::from_utf8(bytes).map_err(|_| usage("the prompt is no UTF-8 text".into()))?);
    }
    if argv[2..].join(" ").len() > policy::PROMPT_BYTES_MAX {
        return Err(usage(format!("the prompt is longer than {} bytes", policy::PROMPT_BYTES_MAX)));
    }
    Ok(())
}

/// Looks at the task until it has ended, also across restarts of the daemon.
fn wait(client: &mut Client, asked: &Answer, matches: &ArgMatches, options: &Options) -> Result<ExitCode, Fatal> {
    let Some(task) = asked.data["task_id"].as_i64() else {
        return Err(Fatal::new(ExitCode::Internal, "the answer names no task to wait for"));
    };
    if !options.json {
        options.remark(asked.text.lines().next().unwrap_or_default());
    }
    let argv = ["status".to_owned(), task.to_string()];
    let looks =
        matches.get_one::<i64>("wait-timeout").map(|ms| u64::try_from(*ms).unwrap_or(0) / policy::CLIENT_WAIT_PAUSE_MS);
    let mut without = 0;
    for look in 0_u64.. {
        match client.ask(&fresh_key(), &argv) {
            Ok(answer) if !answer.ok => {
                show(&answer, options);
                return Ok(ExitCode::Refused);
            }
            Ok(answer) => {
                without = 0;
                if let Some(state) = state_of(&answer.data).filter(|state| state.is_terminal()) {
                    // The report, whatever it says, is the answer.
                    show(&answer, options);
                    return Ok(if state == State::Succeeded { ExitCode::Ok } else { ExitCode::Refused });
                }
            }
            Err(Unanswered::NotPermitted) => return Err(client.not_permitted()),
            Err(unanswered) if without >= policy::CLIENT_WAIT_WITHOUT_DAEMON_MAX => {
                return Err(client.fatal(&unanswered));
            }
            Err(_) => without += 1,
        }
        if looks.is_some_and(|looks| look >= looks) {
            let text = format!("task {task} has not ended yet; it goes on: mainstay status {task}");
            return Err(Fatal::new(ExitCode::WaitTimedOut, text));
        }
        std::thread::sleep(Duration::from_millis(policy::CLIENT_WAIT_PAUSE_MS));
    }
    unreachable!("the loop has no end of its own")
}

fn state_of(data: &Value) -> Option<State> {
    data["state"].as_str()?.parse().ok()
}
