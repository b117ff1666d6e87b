//! What is shown and what is understood.

use super::*;
use std::fmt::Write;

fn help(command: &mut clap::Command) -> String {
    command.clone().term_width(100).render_long_help().to_string()
}

#[test]
fn help_shows_every_command_with_an_example() {
    let mut root = grammar::command();
    root.build();
    let mut all = help(&mut root);
    for command in root.get_subcommands_mut().filter(|c| c.get_name() != "help") {
        let text = help(command);
        assert!(command.is_hide_set() || text.contains("Example: mainstay "), "{text}");
        let _ = write!(all, "\n---- {}\n{text}", command.get_name());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_grammar_is_sound() {
    grammar::command().debug_assert();
}

#[test]
fn a_line_is_understood_by_the_part_of_the_grammar_it_needs_as_by_all_of_it() {
    let lines = [
        "newtask build fix it --wait",
        "newtask",
        "newtask --help",
        "--json status 42",
        "--config x -q --color=never status #42 --json",
        "--color sometimes status 42",
        "--config",
        "--config status",
        "--colour never status 42",
        "status x",
        "status 42 43",
        "status --jsn 42",
        "statsu 42",
        "help status",
        "logs --last 0",
        "ops --watch",
        "--help",
        "--version",
        "",
    ];
    for line in lines {
        let args: Vec<OsString> = std::iter::once("mainstay").chain(line.split_whitespace()).map(Into::into).collect();
        let read = |grammar: clap::Command| match grammar.try_get_matches_from(&args) {
            Ok(matches) => format!("{:?}", matches.subcommand()),
            Err(error) => error.to_string(),
        };
        assert_eq!(read(grammar::for_line(&args)), read(grammar::command()), "{line}");
    }
}

#[test]
fn every_example_of_the_table_is_understood_as_in_the_chat() {
    for syntax in grammar::rows() {
        let line: Vec<String> = [syntax.name].into_iter().chain(syntax.example.split(' ')).map(str::to_owned).collect();
        let line: Vec<String> = line.into_iter().filter(|word| !word.is_empty()).collect();
        let matches = grammar::command()
            .try_get_matches_from(std::iter::once("mainstay").chain(line.iter().map(String::as_str)))
            .unwrap_or_else(|e| panic!("{line:?}: {e}"));
        let (name, matches) = matches.subcommand().expect("a command");
        assert_eq!(name, syntax.name);
        assert_eq!(grammar::argv(syntax, matches).expect("well-formed"), line);
    }
}

#[test]
fn words_reach_the_daemon_as_they_were_meant() {
    for (typed, expected) in [
        (&["status", "#42"][..], "status|42"),
        (&["approve", "42", "looks", "good"], "approve|42|looks|good"),
        (&["newtask", "build", "two  spaces", "--json"], "newtask|build|two  spaces"),
        (&["newtask", "build", "--", "--release", "-v"], "newtask|build|--release|-v"),
        (&["newtask", "build", "--wait", "fix", "it"], "newtask|build|fix|it"),
        (&["newtask", "build", "fix", "it", "--wait"], "newtask|build|fix|it"),
        (&["newtask", "build", "-"], "newtask|build|-"),
        (&["list", "5", "RUNNING"], "list|5|RUNNING"),
        (&["--config", "x", "--json", "review", "3", "pass"], "review|3|pass"),
        (&["mode"], "mode"),
        (&["status", "x"], "error: invalid value 'x' for '<ID>': no task number (like 42)"),
        (&["status", "0"], "error: invalid value '0' for '<ID>': no task number (like 42)"),
        (&["status"], "error: the following required arguments were not provided:"),
        (&["statsu", "42"], "error: unrecognized subcommand 'statsu'"),
        (&["mode", "off"], "error: invalid value 'off' for '[MODE]'"),
        (&["list", "0"], "\"0\" is no positive number: mainstay list [n] [state]"),
        (&["list", "running"], "list|running"),
        (&["approve", "42", "--force"], "error: unexpected argument '--force' found"),
        (&["start"], "error: unrecognized subcommand 'start'"),
        (&["newtask", "build", "--wait-timeout", "3m"], "error: the following required arguments were not provided:"),
        (
            &["review", "3", "fail", "no", "tests"],
            "a failed review needs a reason code first, one of policy_conflict, missing_tests, insufficient_plan, \
             high_risk_unmitigated, artifact_incomplete, other",
        ),
    ] {
        assert_eq!(understood(typed), expected, "{typed:?}");
    }
}

/// The words joined by `|`, or the first line of what is said instead.
fn understood(typed: &[&str]) -> String {
    let matches = match grammar::command().try_get_matches_from([&["mainstay"], typed].concat()) {
        Ok(matches) => matches,
        Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let (name, matches) = matches.subcommand().expect("a command");
    let syntax = grammar::rows().find(|syntax| syntax.name == name).expect("of the table");
    grammar::argv(syntax, matches).map_or_else(|fatal| fatal.text, |argv| argv.join("|"))
}

#[test]
fn color_is_known_before_parsing() {
    for (args, expected) in [
        (&["mainstay"][..], "auto"),
        (&["mainstay", "--color", "never", "ops"], "never"),
        (&["mainstay", "ops", "--color=always"], "always"),
        (&["mainstay", "--color"], ""),
    ] {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        assert_eq!(grammar::color_wanted(&args), expected);
    }
}

#[test]
fn the_reference_names_every_command_code_and_key() {
    let md = docs::commands_md();
    assert!(crate::command::COMMANDS.iter().all(|s| md.contains(&format!("| `{}", s.name))));
    assert!(crate::config::keys::KEYS.iter().all(|k| md.contains(&format!("| `{}` |", k.name))));
    assert!(ExitCode::ALL.iter().all(|c| md.contains(&format!("| {} | {} |", c.number(), c.meaning()))));
}
