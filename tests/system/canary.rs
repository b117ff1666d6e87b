//! The token is looked for in everything that anybody could see of a session with tasks, crashes and trouble.

use super::phone::{Phone, SECRET, token};
use super::place::{Place, until};
use mainstay_sim::botapi::{Effect, Fault, Method, Methods, Quota, Rule};
use std::fs;
use std::path::{Path, PathBuf};

/// The value of a variable that a kind passes on: with what JSON and addresses write in another way.
const PASSWORD: &str = "xyzzy \"plugh\" 4/7";

/// A kind whose programs get it, and tell it to everybody.
const BLABBER: &str = r#"
[[kind]]
name = "blab"
self_approval = true
argv = ["/bin/sh", "-c", 'echo "it is $DEPLOY_PASSWORD, and all is well"; echo "at $DEPLOY_PASSWORD" > "$MAINSTAY_PROGRESS_FILE"; until [ -e {dir}/go ]; do sleep 0.02; done; exit 3']
env = ["PATH", "DEPLOY_PASSWORD", "OTHER"]
[record]
secret_env = ["OTHER"]
"#;

/// What nobody may see of it.
fn tells_of_it(bytes: &[u8]) -> bool {
    [&b"xyzzy"[..], b"plugh", b"open-sesame"].iter().any(|part| bytes.windows(part.len()).any(|window| window == *part))
}

#[test]
fn the_value_of_a_secret_variable_appears_nowhere_but_in_the_output_of_the_task_itself() {
    let phone = Phone::new();
    let mut place = phone.place("", BLABBER);
    place.variable("DEPLOY_PASSWORD", PASSWORD);
    place.variable("OTHER", "open-sesame");
    place.launch_at("trace");
    place.wait_for_socket();
    phone.say(&format!("/newtask blab the password is {PASSWORD}, is it not? open-sesame"));
    phone.press(1, "Approve");
    phone.press(1, "Resume");
    until("it has told", || (!place.events_of("progress").is_empty()).then_some(()));
    place.line().ask(&["reject", "1", "because", "of", PASSWORD]);
    phone.say("/log 1");
    until("the output is shown", || {
        phone.messages().iter().any(|message| message.text.contains("and all is well")).then_some(())
    });
    for argv in [&["status", "1"][..], &["trace", "1"], &["log", "1"], &["why", "1"], &["list"], &["inbox"]] {
        let answer = place.line().ask(argv).to_string();
        assert!(!tells_of_it(answer.as_bytes()), "{argv:?}: {answer}");
    }
    place.release("go");
    place.wait_for(1, "FAILED");
    phone.wait_for_report(1);
    assert!(place.line().ask(&["log", "1"]).to_string().contains("it is [redacted], and all is well"));
    place.terminate();
    for message in phone.messages().iter().filter(|message| message.is_bot) {
        assert!(!tells_of_it(message.text.as_bytes()), "{message:?}");
    }
    // What the task wrote is its own, and so is what it was given.
    let attempts = [place.path("state/attempts"), place.path("state/archive")];
    for path in files(place.path(".").as_path()).into_iter().filter(|path| path.is_file()) {
        if !attempts.iter().any(|folder| path.starts_with(folder)) {
            assert!(!tells_of_it(&fs::read(&path).unwrap_or_default()), "{}", path.display());
        }
    }
}

/// Everything it can, by its own account: variables, arguments, open files.
const SNOOP: &str = r#"
[[kind]]
name = "snoop"
self_approval = true
argv = ["/bin/sh", "-c", '''
env; cat /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline /proc/$PPID/environ; ls -l /proc/$$/fd /proc/$PPID/fd
until [ -e {dir}/go ]; do sleep 0.02; done
exit 3
''']
env = ["PATH", "HOME"]
"#;

fn contains(bytes: &[u8]) -> bool {
    let half = SECRET.len() / 2;
    [&SECRET[..half], &SECRET[half..]]
        .iter()
        .any(|part| bytes.windows(part.len()).any(|window| window == part.as_bytes()))
}

/// All files below a folder but the token's own.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("list").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn assert_nowhere(place: &Place, except: Option<PathBuf>) {
    for path in files(place.path(".").as_path()) {
        let own = except.as_ref().is_some_and(|except| path.file_name() == except.file_name());
        if path.is_file() && !own {
            assert!(!contains(&fs::read(&path).unwrap_or_default()), "{}", path.display());
        }
    }
}

fn assert_not_in_processes(place: &Place) {
    let daemon = place.pid().as_raw_nonzero().get();
    for pid in place.processes().into_iter().chain([daemon]) {
        for name in ["environ", "cmdline", "comm"] {
            let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            assert!(!contains(&bytes), "/proc/{pid}/{name}");
        }
    }
}

#[test]
fn a_token_from_a_file_appears_nowhere() {
    session(false);
}

#[test]
fn a_token_from_the_environment_appears_nowhere() {
    session(true);
}

fn session(by_variable: bool) {
    let phone = Phone::new();
    let mut place = if by_variable {
        let mut place = phone.place_without_token("[telegram]", SNOOP);
        place.variable("MAINSTAY_TELEGRAM_TOKEN", &token());
        place
    } else {
        phone.place("", SNOOP)
    };
    let except = (!by_variable).then(|| place.path("token"));
    place.launch_at("trace");
    place.wait_for_socket();
    // Trouble of every sort, so that every sort of error is written somewhere.
    phone.say("/newtask snoop look around");
    phone.press(1, "Approve");
    phone.press(1, "Resume");
    until("it runs", || place.path("state/attempts/1-1/stdout.log").exists().then_some(()));
    assert_not_in_processes(&place);
    let (polls, calls) = (Methods::Only(Method::GetUpdates), Methods::AllBut(Method::GetUpdates));
    let add = |methods, fault| phone.server.world().faults.add(Rule { methods, quota: Quota::Times(1), fault });
    add(polls, Fault::Html(502, Effect::Missing));
    for fault in [
        Fault::Unauthorized,
        Fault::RetryAfter(1),
        Fault::BadJson,
        Fault::Html(502, Effect::Missing),
        Fault::Reset(Effect::Missing),
        Fault::Reset(Effect::Taken),
    ] {
        add(calls, fault);
        phone.say("/whoami");
    }
    until("polling fails", || (!place.events_of("poll_broke").is_empty()).then_some(()));
    until("sending fails", || (place.events_of("send_failed").len() >= 4).then_some(()));
    phone.server.down().expect("down");
    let log = || fs::read_to_string(place.path("daemon.log")).unwrap_or_default();
    until("nobody is there", || log().contains("onnection refused").then_some(()));
    assert_nowhere(&place, except.clone());
    place.kill();
    place.launch_at("trace");
    place.wait_for_socket();
    assert_not_in_processes(&place);
    place.release("go");
    place.wait_for(1, "FAILED");
    phone.server.up().expect("up");
    phone.wait_for_report(1);
    for argv in [&["status", "1"][..], &["trace", "1"], &["ops"], &["inbox"], &["log", "1"], &["list"], &["board"]] {
        assert!(!contains(place.line().ask(argv).to_string().as_bytes()), "{argv:?}");
        let output = place.run(argv);
        assert!(!contains(&output.stdout) && !contains(&output.stderr), "{argv:?}");
    }
    for args in [&["check"][..], &["logs", "--last", "100000"], &["run"]] {
        let output = place.run(args);
        assert!(!contains(&output.stdout) && !contains(&output.stderr), "{args:?}");
    }
    assert_nowhere(&place, except.clone());
    place.terminate();
    assert_nowhere(&place, except);
    for message in phone.messages() {
        assert!(!contains(message.text.as_bytes()), "{message:?}");
    }
}
