//! The program as a script drives it: lines in, JSON lines out, teloxide's client on the other side.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use teloxide_core::Bot;
use teloxide_core::payloads::{GetUpdatesSetters, SendMessageSetters};
use teloxide_core::prelude::Requester;
use teloxide_core::types::{ChatId, InlineKeyboardButton, InlineKeyboardMarkup, UpdateKind};

struct Program {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mainstay-botapi"))
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), child, output }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_script_talks_to_a_bot_through_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (token, port) = (folder.path().join("token"), folder.path().join("port"));
    std::fs::write(&token, "42:secret\n").unwrap();
    let (token, port_file) = (token.to_str().unwrap(), port.to_str().unwrap());
    let mut program = Program::start(&["--json", "--token-file", token, "--port-file", port_file, "--user", "7:Ann"]);

    let listening = program.next();
    let url = listening["url"].as_str().unwrap();
    let bot = Bot::new("42:secret").set_api_url(url.parse().unwrap());
    program.say("/newtask");
    assert_eq!(program.next()["text"], "/newtask");
    let updates = bot.get_updates().await.unwrap();
    let next = i32::try_from(updates[0].id.0 + 1).unwrap();
    assert_eq!(format!("http://{}", std::fs::read_to_string(&port).unwrap().trim()), url);

    let markup = InlineKeyboardMarkup::new([[InlineKeyboardButton::callback("Approve", "nonce")]]);
    bot.send_message(ChatId(7), "waits").reply_markup(markup).await.unwrap();
    assert_eq!(program.next()["buttons"], json!([[{ "n": 1, "label": "Approve" }]]));
    program.say(":press 1");
    let updates = bot.get_updates().offset(next).timeout(10).await.unwrap();
    let UpdateKind::CallbackQuery(query) = &updates[0].kind else { panic!("a press was expected") };
    bot.answer_callback_query(query.id.clone()).await.unwrap();
    assert_eq!(program.next()["event"], "toast");

    program.input = None;
    assert!(program.child.wait().unwrap().success());
    assert!(program.output.next().is_none());
}

#[test]
fn a_token_that_is_none_is_said_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hunter2").unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_mainstay-botapi")).arg("--token-file").arg(&token).output().unwrap();
    let error = String::from_utf8(program.stderr).unwrap();
    assert!(!program.status.success() && error.contains("failed to use the token") && !error.contains("hunter2"));
}
