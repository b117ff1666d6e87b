//! Text and command lines to [`Command`]s, by the table.

use super::{Arg, COMMANDS, Command, MACHINE, Mode, REASON_CODES, Syntax, Takes};
use crate::id::TaskId;

/// Why something is no command. The text is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ParseError {
    /// What is wrong and what to do.
    pub text: String,
}

fn wrong(text: String) -> ParseError {
    ParseError { text }
}

/// What a chat message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// A command for us.
    Command(Command),
    /// A command, but not a well-formed one.
    Bad(ParseError),
    /// A command for another bot, or no command at all.
    NotForUs,
}

/// Reads a chat message. `bot` is our user name, for `/approve@our_bot 42`.
pub fn parse_text(text: &str, bot: Option<&str>) -> Parsed {
    let Some(body) = text.trim_start().strip_prefix('/') else {
        return Parsed::NotForUs;
    };
    let (head, rest) = split_word(body);
    let name = match head.split_once('@') {
        Some((name, who)) if bot.is_some_and(|b| b.eq_ignore_ascii_case(who)) => name,
        Some(_) => return Parsed::NotForUs,
        None => head,
    };
    match parse(COMMANDS, &name.to_lowercase(), rest) {
        Ok(command) => Parsed::Command(command),
        Err(error) => Parsed::Bad(error),
    }
}

/// Reads a command line: the name and its arguments. Arguments after the last word-like one are joined by spaces.
///
/// # Errors
/// Not a well-formed command; the text tells what to do.
pub fn parse_argv(argv: &[String]) -> Result<Command, ParseError> {
    let Some((name, args)) = argv.split_first() else {
        return Err(wrong("say a command; `help` lists them".into()));
    };
    let table = if MACHINE.iter().any(|syntax| syntax.name == name) { MACHINE } else { COMMANDS };
    parse(table, name, &args.join(" "))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.find(char::is_whitespace) {
        Some(end) => (&text[..end], text[end..].trim_start()),
        None => (text, ""),
    }
}

fn parse(table: &'static [Syntax], name: &str, rest: &str) -> Result<Command, ParseError> {
    let Some(syntax) = table.iter().find(|s| s.name == name) else {
        return Err(wrong(format!("there is no /{}: {}", shown(name), meant(name))));
    };
    let mut rest = rest;
    let mut values: Vec<&str> = Vec::new();
    for (index, arg) in syntax.args.iter().enumerate() {
        let before = rest;
        let value = if matches!(arg.takes, Takes::Rest { .. }) {
            std::mem::take(&mut rest).trim_end()
        } else {
            let (word, after) = split_word(rest);
            rest = after;
            word
        };
        if value.is_empty() {
            if arg.required {
                let (usage, name, example) = (syntax.usage(), syntax.name, syntax.example);
                return Err(wrong(format!("{} is missing: /{usage}\nexample: /{name} {example}", arg.name)));
            }
            break;
        }
        if let Err(error) = check(syntax, arg, value) {
            // An optional argument may be left out before the next one: `/list running`.
            match syntax.args.get(index + 1).filter(|_| !arg.required).map(|next| check(syntax, next, value)) {
                Some(Ok(())) => {
                    values.push("");
                    rest = before;
                    continue;
                }
                // A word where a number could stand is meant for what takes words.
                Some(Err(next)) if value.starts_with(char::is_alphabetic) => return Err(next),
                Some(Err(_)) | None => return Err(error),
            }
        }
        values.push(value);
    }
    if !rest.trim().is_empty() {
        return Err(wrong(format!("too much: /{}", syntax.usage())));
    }
    build(syntax, &values)
}

fn check(syntax: &Syntax, arg: &Arg, value: &str) -> Result<(), ParseError> {
    match arg.takes {
        Takes::Task => match value.parse::<TaskId>() {
            Ok(TaskId(1..)) => Ok(()),
            Ok(_) | Err(_) => {
                Err(wrong(format!("{:?} is no task number: /{} (like 42)", shown(value), syntax.usage())))
            }
        },
        Takes::Number { .. } => match value.parse::<u32>() {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(wrong(format!("{:?} is no positive number: /{}", shown(value), syntax.usage()))),
        },
        Takes::OneOf(words) if !words.contains(&value.to_lowercase().as_str()) => {
            Err(none_of(value, words, arg, syntax))
        }
        Takes::OneOf(_) | Takes::Word | Takes::Rest { .. } => Ok(()),
    }
}

fn none_of(value: &str, words: &[&str], arg: &Arg, syntax: &Syntax) -> ParseError {
    let (word, usage) = (shown(value), syntax.usage());
    wrong(match nearest(&value.to_lowercase(), words.iter().copied()) {
        Some(near) => format!("{word:?} is no {}: did you mean {near}? /{usage}", arg.name),
        None => format!("{word:?} is none of {}: /{usage}", words.join(", ")),
    })
}

/// What somebody may have meant by a command that does not exist.
fn meant(name: &str) -> String {
    let known = |name: &str| nearest(name, COMMANDS.iter().map(|s| s.name));
    // A number that stands too near: /log42, /log_42.
    let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let (word, number) = (word.trim_end_matches('_'), &name[word.len()..]);
    match (known(word), number) {
        (Some(near), "") => format!("did you mean /{near}?"),
        (Some(near), number) => format!("did you mean /{near} {number}?"),
        (None, number) if name == number && !name.is_empty() => format!("did you mean /status {number}?"),
        (None, _) => "/help lists them".into(),
    }
}

/// Foreign words in our answers: short.
fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}

/// The name in `names` that `word` was most likely meant to be: the one with the fewest wrong letters, or the only one that
/// begins like it.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<&str> = names.collect();
    let typo = names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(word, name), *name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4 && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance);
    let mut begun = names.iter().filter(|name| !word.is_empty() && name.starts_with(word));
    match (typo, begun.next(), begun.next()) {
        (_, Some(only), None) => Some(only),
        (typo, _, _) => typo.map(|(_, name)| name),
    }
}

/// `values` were checked against the row; what is missing is optional.
fn build(syntax: &'static Syntax, values: &[&str]) -> Result<Command, ParseError> {
    let text = |i: usize| values.get(i).map_or_else(String::new, |v| (*v).to_owned());
    let task = || TaskId(values.first().and_then(|v| v.parse::<TaskId>().ok()).map_or(0, |t| t.0));
    let number = |i: usize| match syntax.args.get(i).map(|arg| arg.takes) {
        Some(Takes::Number { default, max }) => values.get(i).and_then(|v| v.parse().ok()).unwrap_or(default).min(max),
        Some(Takes::Task | Takes::Word | Takes::OneOf(_) | Takes::Rest { .. }) | None => 0,
    };
    Ok(match syntax.name {
        "start" => Command::Start,
        "help" => Command::Help { command: values.first().map(|v| v.trim_start_matches('/').to_lowercase()) },
        "whoami" => Command::Whoami,
        "kinds" => Command::Kinds,
        "newtask" => Command::NewTask { kind: text(0), prompt: text(1) },
        "status" => Command::Status { task: task() },
        "list" => Command::List { limit: number(0), state: values.get(1).and_then(|v| v.parse().ok()) },
        "approve" => Command::Approve { task: task(), note: text(1) },
        "reject" => Command::Reject { task: task(), reason: text(1) },
        "plan" => Command::Plan { task: task(), text: text(1) },
        "review" => return review(task(), &text(1), &text(2)),
        "resume" => Command::Resume { task: task() },
        "stop" => Command::Stop { task: task() },
        "recover" => Command::Recover { task: task() },
        "rerun" => Command::Rerun { task: task(), copies: number(1) },
        "why" => Command::Why { task: task() },
        "trace" => Command::Trace { of: text(0) },
        "log" => Command::Log { task: task(), lines: number(1) },
        "board" => Command::Board,
        "ops" => Command::Ops,
        "inbox" => Command::Inbox,
        "mode" => Command::Mode { to: values.first().and_then(|v| Mode::named(&v.to_lowercase())) },
        "drain" => Command::Drain,
        "undrain" => Command::Undrain,
        "backup" => match serde_json::from_str(&text(0)) {
            Ok(result) => Command::Backup { result },
            Err(error) => return Err(wrong(format!("that does not say how a back-up went: {error}"))),
        },
        "release" => match serde_json::from_str(&text(0)) {
            Ok(news) => Command::Release { news },
            Err(error) => return Err(wrong(format!("that does not say what became of a release: {error}"))),
        },
        other => unreachable!("{other} has a row but no command: a test looks"),
    })
}

fn review(task: TaskId, verdict: &str, rest: &str) -> Result<Command, ParseError> {
    if verdict.eq_ignore_ascii_case("pass") {
        return Ok(Command::Review { task, pass: true, code: None, notes: rest.to_owned() });
    }
    let (code, notes) = split_word(rest);
    if !REASON_CODES.contains(&code) {
        return Err(wrong(match nearest(&code.to_lowercase(), REASON_CODES.into_iter()) {
            Some(near) => format!("{:?} is no reason code: did you mean {near}?", shown(code)),
            None => format!("a failed review needs a reason code first, one of {}", REASON_CODES.join(", ")),
        }));
    }
    Ok(Command::Review { task, pass: false, code: Some(code.to_owned()), notes: notes.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;
    use crate::task::State;

    #[test]
    fn every_row_parses_its_own_example_and_names_itself() {
        for syntax in COMMANDS {
            let line = format!("/{} {}", syntax.name, syntax.example);
            let Parsed::Command(command) = parse_text(&line, None) else { panic!("{line}") };
            assert_eq!(command.name(), syntax.name, "{line}");
        }
    }

    #[test]
    fn what_programs_say_is_understood_on_the_socket_alone() {
        for syntax in MACHINE {
            let argv = [syntax.name, syntax.example].map(str::to_owned);
            assert_eq!(parse_argv(&argv).map(|command| command.name()), Ok(syntax.name));
            let line = format!("/{} {}", syntax.name, syntax.example);
            let Parsed::Bad(error) = parse_text(&line, None) else { panic!("{line}") };
            assert!(error.text.starts_with("there is no /"), "{}", error.text);
        }
        let unclear = parse_argv(&["backup".to_owned(), "it went well".to_owned()]).expect_err("no JSON");
        assert!(unclear.text.starts_with("that does not say how a back-up went"), "{}", unclear.text);
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_nearest_one() {
        let Parsed::Bad(error) = parse_text("/aprove 42", None) else { panic!() };
        assert_eq!(error.text, "there is no /aprove: did you mean /approve?");
        for (said, meant) in [
            ("/frobnicate", "/help lists them"),
            ("/log42", "did you mean /log 42?"),
            ("/stauts_7", "did you mean /status 7?"),
            ("/app 3", "did you mean /approve?"),
            ("/st 3", "/help lists them"),
            ("/42", "did you mean /status 42?"),
            ("/", "/help lists them"),
        ] {
            let Parsed::Bad(error) = parse_text(said, None) else { panic!("{said}") };
            assert!(error.text.ends_with(&format!(": {meant}")), "{said}: {}", error.text);
        }
    }

    #[test]
    fn wrong_arguments_are_named_with_the_usage() {
        for (line, expected) in [
            ("/approve", "id is missing: /approve <id> [note]\nexample: /approve 42 reviewed the plan"),
            ("/approve abc", "\"abc\" is no task number: /approve <id> [note] (like 42)"),
            ("/approve -1", "\"-1\" is no task number: /approve <id> [note] (like 42)"),
            (
                "/approve 99999999999999999999",
                "\"99999999999999999999\" is no task number: /approve <id> [note] (like 42)",
            ),
            ("/resume 1 2", "too much: /resume <id>"),
            ("/list 0", "\"0\" is no positive number: /list [n] [state]"),
            ("/mode off", "\"off\" is none of readonly, supervised, auto: /mode [readonly|supervised|auto]"),
            ("/reject 3", "reason is missing: /reject <id> <reason>\nexample: /reject 42 not during the release"),
            ("/list runing", "\"runing\" is no state: did you mean running? /list [n] [state]"),
            ("/list 5 runing", "\"runing\" is no state: did you mean running? /list [n] [state]"),
            ("/review 3 fail missing_test none", "\"missing_test\" is no reason code: did you mean missing_tests?"),
        ] {
            assert_eq!(parse_text(line, None), Parsed::Bad(wrong(expected.into())), "{line}");
        }
    }

    #[test]
    fn a_prompt_keeps_its_lines_and_inner_spaces() {
        let Parsed::Command(command) = parse_text("/newtask build  first\n  second  line\n", None) else { panic!() };
        assert_eq!(command, Command::NewTask { kind: "build".into(), prompt: "first\n  second  line".into() });
    }

    #[test]
    fn an_optional_argument_may_be_left_out_before_another() {
        let running = Command::List { limit: 8, state: Some(State::Running) };
        assert_eq!(parse_text("/list running", None), Parsed::Command(running));
        let five = Command::List { limit: 5, state: Some(State::Failed) };
        assert_eq!(parse_text("/list 5 FAILED", None), Parsed::Command(five));
    }

    #[test]
    fn numbers_have_a_default_and_a_limit_which_their_texts_name() {
        for (line, expected) in [
            ("/list", Command::List { limit: 8, state: None }),
            ("/list 1000", Command::List { limit: 100, state: None }),
            ("/rerun 1", Command::Rerun { task: TaskId(1), copies: 1 }),
            ("/rerun 1 99", Command::Rerun { task: TaskId(1), copies: 5 }),
            ("/log 1", Command::Log { task: TaskId(1), lines: 20 }),
            ("/log 1 4294967295", Command::Log { task: TaskId(1), lines: 1_000 }),
        ] {
            assert_eq!(parse_text(line, None), Parsed::Command(expected), "{line}");
        }
        let text = |name: &str, at: usize| {
            let syntax = COMMANDS.iter().find(|s| s.name == name).expect("a row");
            syntax.args[at].text()
        };
        for (name, at, limit) in [
            ("list", 0, "(default 8, at most 100)".to_owned()),
            ("rerun", 1, "(default 1, at most 5)".to_owned()),
            ("log", 1, format!("of the last {} KiB (default 20, at most 1000)", policy::LOG_READ_BYTES_MAX / 1_024)),
            ("newtask", 1, "(at most 64 KiB)".to_owned()),
            ("plan", 1, "(at most 64 KiB)".to_owned()),
            ("approve", 1, "(at most 2000 bytes)".to_owned()),
        ] {
            assert!(text(name, at).ends_with(&limit), "{name}: {}", text(name, at));
        }
    }

    #[test]
    fn commands_for_other_bots_and_plain_talk_are_not_ours() {
        assert_eq!(parse_text("/ops@other_bot", Some("our_bot")), Parsed::NotForUs);
        assert_eq!(parse_text("hello", None), Parsed::NotForUs);
        assert_eq!(parse_text("/ops@Our_Bot", Some("our_bot")), Parsed::Command(Command::Ops));
    }
}
