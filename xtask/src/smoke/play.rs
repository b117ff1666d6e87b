//! How a machine plays the steps. Ana is "you", ben the colleague, eve a stranger.

use crate::stage::{Stage, Step, TOKEN, alive, bot_text, check, is_new};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;

const ANA: i64 = 1001;
const BEN: i64 = 1002;
const EVE: i64 = 1003;

/// How the tasks are numbered: the order in which the steps ask for them.
const NOW: i64 = 1;
const LONG: i64 = 2;
const WAIT: i64 = 3;
const STOPPED: i64 = 4;

pub(super) fn start(stage: &mut Stage<'_>) -> Step {
    ask(stage, "/start", BEN, &["You are ben"])?;
    ask(stage, "/start", ANA, &["You are ana", "now", "wait", "/newtask"])
}

pub(super) fn questions(stage: &mut Stage<'_>) -> Step {
    ask(stage, "/whoami", ANA, &["ana (tg:1001)", "admin"])?;
    ask(stage, "/kinds", ANA, &["now (light", "long (light", "wait (heavy"])?;
    ask(stage, "/ops", ANA, &["healthy"])?;
    ask(stage, "/help", ANA, &["/newtask", "/approve", "/mode"])?;
    let theirs = answer(stage, "/help", BEN, &["/newtask", "/approve"])?;
    check(!theirs.contains("/mode"), || format!("ben is told of what only an admin may: {theirs}"))
}

pub(super) fn stranger(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say(":as eve\n/start\n:as ana")?;
    // Said later, so answered later than anything that eve would get.
    ask(stage, "/whoami", ANA, &["ana"])?;
    ask(stage, "/whoami", ANA, &["ana"])?;
    let told = stage.heard.find(from, |event| event["chat"] == EVE && bot_text(event).is_some());
    check(told.is_none(), || format!("a stranger was answered: {:?}", told.as_ref().map(text)))
}

pub(super) fn light_task(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say("/newtask now")?;
    let card = own_card(stage, &format!("#{NOW} now · APPROVED"))?;
    stage.press(&card, "Resume", 1)?;
    stage.until("the end on the same card", from, |event| {
        let is_card = event["event"] == "edited" && event["message_id"] == card["message_id"];
        is_card && says(event, &["SUCCEEDED", "resumed by ana"])
    })?;
    report(stage, from, NOW, "SUCCEEDED")
}

pub(super) fn log(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say("/log 1")?;
    stage.until("the date, without a sound", from, |event| {
        // Every date has a colon in its time.
        is_new(event) && event["silent"] == true && says(event, &["output of #1", ":"])
    })
}

pub(super) fn long_output(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say("/newtask long")?;
    let card = own_card(stage, &format!("#{LONG} long · APPROVED"))?;
    stage.press(&card, "Resume", 1)?;
    report(stage, from, LONG, "SUCCEEDED")?;
    stage.say("/log 2 1000")?;
    stage.until("the file", from, |event| {
        event["document"] == "task-2-attempt-1.txt" && says(event, &["output of #2", "2999\n3000"])
    })
}

pub(super) fn typos(stage: &mut Stage<'_>) -> Step {
    ask(stage, "/aprove 1", ANA, &["did you mean /approve?"])?;
    ask(stage, "/newtask nwo", ANA, &["did you mean now?"])?;
    ask(stage, "/status 99", ANA, &["the newest is 2"])
}

pub(super) fn own_approval(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say("/newtask wait for it")?;
    let card = own_card(stage, &format!("#{WAIT} wait · REQUESTED"))?;
    stage.press(&card, "Approve", 1)?;
    stage.until("a box that says no", from, |event| {
        event["event"] == "toast" && event["alert"] == true && text(event).contains("somebody else's yes")
    })?;
    stage.until("ben's own card, with a sound", from, |event| {
        event["chat"] == BEN && event["silent"] == false && says(event, &["#3 wait · REQUESTED"])
    })
}

pub(super) fn approval(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say(&format!(":as ben\n/approve {WAIT}\n:as ana"))?;
    stage.until("the approval on your card", from, |event| {
        event["chat"] == ANA && says(event, &["#3 wait · APPROVED", "approved by ben"])
    })?;
    let status = stage.status(WAIT)?;
    check(status["attempt"] == 0, || format!("an approval alone started it: {status}"))?;
    let ran = stage.place.ledger().into_iter().find(|line| line.contains(&format!("task={WAIT} ")));
    check(ran.is_none(), || format!("an approval alone started a process: {ran:?}"))
}

pub(super) fn double_tap(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    let card = own_card(stage, &format!("#{WAIT} wait · APPROVED"))?;
    stage.press(&card, "Resume", 2)?;
    stage.until("progress on the card", from, |event| says(event, &["#3 wait · RUNNING", "waiting (50 %)"]))?;
    stage.until("what came of the second press", from, |event| {
        let told = text(event);
        told.contains("Already pressed") || told.contains("is gone")
    })?;
    stage.worker(WAIT)?;
    let starts = stage.place.ledger().iter().filter(|line| line.starts_with(&format!("start task={WAIT} "))).count();
    check(starts == 1, || format!("it was started {starts} times"))
}

pub(super) fn killed(stage: &mut Stage<'_>) -> Step {
    let worker = stage.worker(WAIT)?;
    let life = stage.daemon.lives();
    stage.daemon.kill().ok_or("the daemon was down already")?;
    stage.daemon.wait_until_up(life)?;
    stage.event("found again", WAIT, "adopted")?;
    check(alive(&worker), || format!("the task's process {worker} did not survive"))
}

/// Sabotage: what the daemon is meant to find again is gone.
pub(super) fn kill_the_task(stage: &mut Stage<'_>) -> Step {
    for pid in stage.of_tasks() {
        // It may have ended since; that is what we want.
        let _ = kill_process(pid, Signal::KILL);
    }
    stage.eventually("the end of the task", || (stage.status(WAIT).ok()?["state"] != "RUNNING").then_some(()))
}

pub(super) fn reported_once(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    go_on(stage, true)?;
    report(stage, from, WAIT, "SUCCEEDED")?;
    stage.eventually("a complete trace", || {
        (stage.daemon.cli_json(&["trace", "3"]).ok()?["complete"] == true).then_some(())
    })?;
    // Asked and answered after the report, hence after whatever else there was to say about it.
    ask(stage, "/whoami", ANA, &["ana"])?;
    let reports = stage.heard.count(from, |event| is_new(event) && text(event).contains("✅ #3 "));
    check(reports == 1, || format!("it was reported {reports} times"))
}

pub(super) fn stopped(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    go_on(stage, false)?;
    stage.say("/newtask wait for ever")?;
    own_card(stage, &format!("#{STOPPED} wait · REQUESTED"))?;
    stage.say(&format!(":as ben\n/approve {STOPPED}\n:as ana"))?;
    let card = own_card(stage, &format!("#{STOPPED} wait · APPROVED"))?;
    stage.press(&card, "Resume", 1)?;
    let worker = stage.worker(STOPPED)?;
    let card = own_card(stage, &format!("#{STOPPED} wait · RUNNING"))?;
    stage.press(&card, "Stop", 1)?;
    stage.until("who stopped it, on the card", from, |event| says(event, &["#4 wait · CANCELED", "stopped by ana"]))?;
    report(stage, from, STOPPED, "CANCELED")?;
    let left = stage.of_tasks();
    check(left.is_empty() && !alive(&worker), || format!("processes of it are left: {left:?}"))
}

pub(super) fn edited_and_forwarded(stage: &mut Stage<'_>) -> Step {
    let tasks = tasks(stage)?;
    let from = stage.heard.so_far();
    ask(stage, "/newtask frob", ANA, &["no kind"])?;
    stage.say(":edit /newtask now")?;
    stage.until("what to do instead of editing", from, |event| says(event, &["send it as a new message"]))?;
    stage.say(":forward")?;
    ask(stage, "/whoami", ANA, &["ana"])?;
    let after = self::tasks(stage)?;
    check(after == tasks, || format!("there are {after} tasks now, not {tasks}"))
}

pub(super) fn no_token(stage: &mut Stage<'_>) -> Step {
    let secret = TOKEN.split_once(':').map_or(TOKEN, |(_, secret)| secret);
    let record = stage.daemon.cli(&["logs", "--last", "500", "--json"])?;
    let log = std::fs::read_to_string(stage.place.path("daemon.log")).map_err(|e| format!("the log: {e}"))?;
    check(!record.contains(secret), || "the record has the token".into())?;
    check(!log.contains(secret), || "the daemon's log has the token".into())?;
    check(!record.is_empty() && !log.is_empty(), || "there is no log to look into".into())
}

/// Sabotage.
pub(super) fn leak_the_token(stage: &mut Stage<'_>) -> Step {
    let log = OpenOptions::new().append(true).open(stage.place.path("daemon.log"));
    log.and_then(|mut log| writeln!(log, "{TOKEN}")).map_err(|e| format!("the log: {e}"))
}

pub(super) fn well(stage: &mut Stage<'_>) -> Step {
    ask(stage, "/ops", ANA, &["healthy"])?;
    stage.daemon.cli(&["verify-log"]).map(drop)
}

pub(super) fn outage(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say(":down")?;
    let task = run_by_hand(stage)?;
    stage.eventually("word that Telegram is away", || stage.health("degraded"))?;
    stage.say(":up")?;
    report(stage, from, task, "SUCCEEDED")?;
    // A question also ends the long poll that shows that the way is free again.
    ask(stage, "/whoami", ANA, &["ana"])?;
    stage.eventually("word that all is well", || stage.health("healthy")).map(drop)
}

pub(super) fn blocked(stage: &mut Stage<'_>) -> Step {
    let from = stage.heard.so_far();
    stage.say(":block")?;
    stage.until("the block", from, |event| text(event).contains("is blocked"))?;
    let task = run_by_hand(stage)?;
    stage.eventually("word that somebody does not want us", || stage.health("degraded"))?;
    let before = stage.heard.so_far();
    stage.say(":unblock")?;
    report(stage, before, task, "SUCCEEDED")
}

pub(super) fn late(stage: &mut Stage<'_>) -> Step {
    let (tasks, from) = (tasks(stage)?, stage.heard.so_far());
    stage.say(":late 11 /newtask now")?;
    let is_question = |event: &Value| event["silent"] == false && says(event, &["was not done"]);
    stage.until("a question whether it is still meant", from, is_question)?;
    let after = self::tasks(stage)?;
    check(after == tasks, || "a late command was carried out unasked".into())?;
    let question = stage.heard.find(from, is_question).ok_or("the question is gone")?;
    stage.press(&question, "Do it now", 1)?;
    own_card(stage, &format!("#{} now", tasks + 1)).map(drop)
}

// What steps are made of.

/// The newest state of ana's card that begins like this: ben may have one too.
fn own_card(stage: &Stage<'_>, beginning: &str) -> Step<Value> {
    stage.card_in(Some(ANA), beginning)
}

/// Somebody says something; a new message that they get has to have all these parts.
fn answer(stage: &mut Stage<'_>, line: &str, who: i64, parts: &[&str]) -> Step<String> {
    let from = stage.heard.so_far();
    if who == BEN {
        stage.say(&format!(":as ben\n{line}\n:as ana"))?;
    } else {
        stage.say(line)?;
    }
    let is_it = |event: &Value| event["chat"] == who && is_new(event) && says(event, parts);
    stage.until(&format!("an answer to {line} with {}", parts.join(", ")), from, is_it)?;
    Ok(stage.heard.find(from, is_it).map_or_else(String::new, |event| text(&event).to_owned()))
}

fn ask(stage: &mut Stage<'_>, line: &str, who: i64, parts: &[&str]) -> Step {
    answer(stage, line, who, parts).map(drop)
}

/// The final report: a new message, with a sound, in ana's chat.
fn report(stage: &Stage<'_>, from: usize, task: i64, state: &str) -> Step {
    stage.until(&format!("the report of #{task}, with a sound"), from, |event| {
        let is_loud = is_new(event) && event["silent"] == false && event["chat"] == ANA;
        let first = text(event).lines().next().unwrap_or_default();
        is_loud && !first.starts_with('#') && first.contains(&format!("#{task} ")) && first.contains(state)
    })
}

/// A light task from asking to its end, on the command line; its number.
fn run_by_hand(stage: &Stage<'_>) -> Step<i64> {
    let asked = stage.daemon.cli_json(&["newtask", "now"])?;
    let task = asked["task_id"].as_i64().ok_or_else(|| format!("no task came of it: {asked}"))?;
    stage.daemon.cli(&["resume", &task.to_string()])?;
    stage.eventually(&format!("the end of #{task}"), || {
        (stage.status(task).ok()?["state"] == "SUCCEEDED").then_some(task)
    })
}

/// Lets tasks of the kind "wait" end, or wait.
fn go_on(stage: &Stage<'_>, on: bool) -> Step {
    let file = stage.place.path("go-on");
    let done = if on { std::fs::write(file, "") } else { std::fs::remove_file(file) };
    done.map_err(|e| format!("the file that lets tasks go on: {e}"))
}

fn tasks(stage: &Stage<'_>) -> Step<i64> {
    let list = stage.daemon.cli_json(&["list", "100"])?;
    list.as_array().and_then(|tasks| i64::try_from(tasks.len()).ok()).ok_or_else(|| format!("no list: {list}"))
}

fn says(event: &Value, parts: &[&str]) -> bool {
    bot_text(event).is_some_and(|text| parts.iter().all(|part| text.contains(part)))
}

fn text(event: &Value) -> &str {
    event["text"].as_str().unwrap_or_default()
}
