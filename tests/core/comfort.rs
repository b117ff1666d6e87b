//! What makes the chat pleasant for whoever is on call with a phone.

use crate::world::*;
use mainstay::command::COMMANDS;
use mainstay::config::Kind;
use mainstay::id::Actor;
use mainstay::policy;
use mainstay::task::State;

/// A busy day: tasks in every state, more of them than fit on a screen, long words, and messages that can't be delivered.
fn busy() -> World {
    let mut w = World::with(|c| {
        for n in 0..6 {
            let name = format!("kind{n}");
            c.kinds.insert(name.clone(), Kind::new(&name, true, vec![name.clone()]));
        }
    });
    let long = "wörd ".repeat(150);
    w.run_task("build", "exit:0@1000 progress:half@500");
    w.run_task("build", "exit:3@1000");
    w.run_task("flaky", "exit:75@10");
    w.quiet();
    let stopped = w.run_task("build", "hang");
    w.say(BEA, &format!("/stop {stopped}"));
    w.say(OLGA, &format!("/newtask audit {long}"));
    w.say(AXEL, "/review 5 fail other because");
    w.say(AXEL, &format!("/reject 5 {long}"));
    w.say(OLGA, "/recover 5");
    w.say(OLGA, &format!("/newtask deploy {long}"));
    w.say(OLGA, &format!("/plan 6 {long}\n1. one\n2. two"));
    w.say(AXEL, "/approve 6");
    w.say(BEA, "/newtask deploy");
    for _ in 0..6 {
        w.say_in(GROUP, OLGA, "/newtask build for everybody");
    }
    for _ in 0..4 {
        w.run_task("solo", "hang progress:{\"step\":\"linking\",\"percent\":40}@500");
    }
    w.quiet();
    w
}

/// All messages of a chat that stand there: id, and what they say.
fn messages(w: &World, chat: i64) -> Vec<(i32, Message)> {
    w.chats.borrow().chats.get(&chat).into_iter().flatten().map(|(id, m)| (*id, m.clone())).collect()
}

/// What came new into a chat by this.
fn answers(w: &mut World, chat: i64, user: i64, text: &str) -> Vec<Message> {
    let before = messages(w, chat).last().map_or(0, |(id, _)| *id);
    w.say_in(chat, user, text);
    w.quiet();
    messages(w, chat).into_iter().filter(|(id, _)| *id > before).map(|(_, message)| message).collect()
}

/// The lines of something, and whether that many fit.
fn fits(text: &str) -> bool {
    text.lines().count() <= policy::ANSWER_LINES_MAX
}

#[test]
fn every_answer_fits_on_a_phone() {
    let mut w = busy();
    // These are asked to be long, as far as they are.
    let may_be_long = ["status", "trace", "log"];
    let ids = ["1", "2", "3", "4", "5", "6", "7", "99"];
    for syntax in COMMANDS {
        let name = syntax.name;
        let mut said = vec![format!("/{name}"), format!("/{name} nonsense"), format!("/help {name}")];
        if syntax.needs_task() {
            let (_, rest) = syntax.example.split_once(' ').unwrap_or(("", ""));
            said.extend(ids.iter().map(|id| format!("/{name} {id} {rest}")));
        } else {
            said.push(format!("/{name} {}", syntax.example));
        }
        for text in said.iter().filter(|text| !text.starts_with("/list 20")) {
            for (chat, user) in [(ADA, ADA), (VIC, VIC), (GROUP, BEA)] {
                let answers = answers(&mut w, chat, user, text);
                assert!(!answers.is_empty(), "{text} by {user} is answered");
                for answer in answers {
                    let long = may_be_long.contains(&name) && !text.starts_with("/help");
                    assert!(long || fits(answer.text()), "{text} by {user}:\n{}", answer.text());
                }
            }
        }
    }
    for chat in [ADA, OLGA, AXEL, BEA, VIC, GROUP] {
        for (_, message) in messages(&w, chat).iter().filter(|(_, m)| !m.buttons.is_empty()) {
            assert!(message.texts.iter().all(|text| fits(text)), "a card: {message:?}");
        }
    }
}

#[test]
fn the_inbox_fits_on_a_phone_however_much_was_not_delivered() {
    let mut w = World::new();
    w.say(VIC, "/start");
    w.quiet();
    w.chats.borrow_mut().blocked.insert(VIC);
    for _ in 0..20 {
        w.say(VIC, "/whoami");
        w.chats.borrow_mut().faults.extend([Fault::Refused]);
        w.say(ADA, "/ops");
        w.advance(2_000);
    }
    let answer = answers(&mut w, OLGA, OLGA, "/inbox").remove(0);
    assert!(fits(answer.text()) && answer.text().contains("more: "), "{}", answer.text());
}

#[test]
fn a_card_tells_who_pressed_what() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.quiet();
    let card = |w: &World| w.card(OLGA, id).expect("a card").1.text().to_owned();
    assert!(card(&w).contains("approved by Axel · resumed by Olga"), "{}", card(&w));
    w.press(OLGA, OLGA, id, "Stop");
    assert!(messages(&w, OLGA).iter().any(|(_, m)| m.texts.iter().any(|t| t.contains("resumed by Olga"))));
    w.quiet();
    let all = messages(&w, OLGA).iter().flat_map(|(_, m)| m.texts.clone()).collect::<Vec<_>>().join("\n\n");
    assert!(card(&w).contains("CANCELED") && card(&w).contains("resumed by Olga · stopped by Olga"), "{all}");
    let report = w.reports(OLGA, id).remove(0);
    assert!(report.contains("stopped by Olga"), "{report}");

    w.say(BEA, &format!("/recover {id}"));
    w.quiet();
    let again = card(&w);
    assert!(again.contains("asked by Olga, again by Bea") && !again.contains("stopped") && !again.contains("resumed"));
    w.say(AXEL, &format!("/reject {id} not today"));
    w.quiet();
    assert!(card(&w).contains("rejected by Axel") && card(&w).contains("not today"), "{}", card(&w));
    assert!(w.reports(OLGA, id).last().is_some_and(|report| report.contains("rejected by Axel")));
    w.check();
}

#[test]
fn who_wants_a_running_task_stopped_stands_on_its_card_while_it_stops() {
    let mut w = World::new();
    let id = w.run_task("build", "hang stubborn:60000");
    w.quiet();
    w.say(BEA, &format!("/stop {id}"));
    w.advance(3_000);
    let card = w.card(OLGA, id).expect("a card").1;
    assert!(card.text().contains("RUNNING, stopping") && card.text().contains("stop asked by Bea"), "{card:?}");
}

#[test]
fn an_end_that_came_before_anything_ran_again_is_not_told_as_the_end_of_the_run_before() {
    let mut w = World::new();
    let id = w.run_task("build", "hang");
    w.say(OLGA, &format!("/stop {id}"));
    w.quiet();
    w.say(OLGA, &format!("/recover {id}"));
    w.advance(25 * 3_600_000);
    assert_eq!(w.state(id), State::Expired);
    let report = w.reports(OLGA, id).last().cloned().expect("a report");
    assert!(!report.contains("finished") && !report.contains("after"), "{report}");
}

#[test]
fn it_rings_for_reports_and_where_a_press_is_needed_alone() {
    let mut w = World::new();
    for text in ["/ops", "/kinds", "/board", "/nonsense", "/approve 99", "hello"] {
        let answer = answers(&mut w, OLGA, OLGA, text).remove(0);
        assert!(answer.silent, "{text}: {answer:?}");
    }
    w.say(AXEL, "/start");
    w.quiet();
    w.say(OLGA, "/newtask build exit:0@1000");
    w.quiet();
    assert!(!w.card(AXEL, 1).expect("a card of their own").1.silent, "a press is needed");
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/resume 1");
    w.quiet();
    let report = messages(&w, OLGA).pop().expect("a report").1;
    assert!(!report.silent && report.text().contains("SUCCEEDED"), "{report:?}");
    w.write(OLGA, OLGA, "/newtask build late", 3_600_000, serde_json::json!({}));
    w.quiet();
    let asked = messages(&w, OLGA).pop().expect("a question").1;
    assert!(!asked.silent && !asked.buttons.is_empty(), "it asks whether that is still meant: {asked:?}");
}

#[test]
fn what_is_too_long_comes_as_a_file_named_after_its_task_with_the_end_in_its_caption() {
    let mut w = World::new();
    w.run_task("build", "exit:0@1000 progress:half@500");
    w.quiet();
    for _ in 0..60 {
        w.say(OLGA, "/approve 1");
    }
    w.advance(120_000);
    let trace = answers(&mut w, OLGA, OLGA, "/trace 1").remove(0);
    let (name, content) = trace.document.clone().expect("a file");
    let content = String::from_utf8(content).expect("text");
    assert_eq!(name, "task-1-trace.txt");
    let (first, last) = (content.lines().next().expect("lines"), content.lines().last().expect("lines"));
    let shown = trace.text().lines().last().expect("lines").trim_end_matches('…');
    assert!(trace.text().starts_with(first) && last.starts_with(shown) && shown.len() > 40, "{}", trace.text());
    assert!(fits(trace.text()));
}

#[test]
fn help_has_what_one_may_and_an_example_that_can_be_said() {
    let mut w = World::with(|c| {
        c.kinds.remove("build");
    });
    let help = |w: &mut World, user: i64, text: &str| answers(w, user, user, text).remove(0).text().to_owned();
    assert!(!help(&mut w, VIC, "/start").contains("/newtask") && help(&mut w, OLGA, "/start").contains("/newtask"));
    let viewer = help(&mut w, VIC, "/help");
    assert!(viewer.contains("/status") && !viewer.contains("/newtask ") && !viewer.contains("/approve"), "{viewer}");
    let operator = help(&mut w, OLGA, "/help");
    assert!(operator.contains("/newtask /") && !operator.contains("/approve") && !operator.contains("/mode"));
    let approver = help(&mut w, AXEL, "/help");
    assert!(approver.contains("/approve /reject") && !approver.contains("/resume"), "{approver}");
    let admin = help(&mut w, ADA, "/help");
    for syntax in COMMANDS.iter().filter(|s| !["start", "help"].contains(&s.name)) {
        assert!(admin.contains(&format!("/{}", syntax.name)), "{admin}");
    }

    let newtask = help(&mut w, OLGA, "/help newtask");
    let example = newtask.lines().find_map(|line| line.strip_prefix("example: ")).expect("an example").to_owned();
    w.say(OLGA, &example);
    assert_eq!(w.tasks(), 1, "the example works with the kinds that there are: {example}");
    assert!(newtask.contains("kinds: audit, backup"), "{newtask}");
    assert!(help(&mut w, VIC, "/help newtask").contains("which you do not have"));
    assert!(help(&mut w, VIC, "/help aprove").contains("did you mean /approve?"));
}

#[test]
fn the_board_begins_with_ones_own_then_what_waits_for_one_then_what_runs() {
    let mut w = busy();
    let board = |w: &mut World, user: i64| answers(w, user, user, "/board").remove(0).text().to_owned();
    let axel = board(&mut w, AXEL);
    let lines: Vec<&str> = axel.lines().collect();
    assert!(lines[0].starts_with("mode supervised · 9 to approve"), "{axel}");
    assert!(lines[1].contains("waits for your /approve"), "{axel}");
    let more = lines.last().expect("lines");
    assert!(lines.len() == policy::ANSWER_LINES_MAX && more.starts_with("and ") && more.contains(" more"), "{axel}");
    let bea = board(&mut w, BEA);
    assert!(bea.lines().nth(1).is_some_and(|own| own.starts_with("#7 deploy") && own.contains("Bea")), "{bea}");
    let vic = board(&mut w, VIC);
    assert!(vic.lines().nth(1).is_some_and(|first| first.contains(" runs · ")), "nothing waits for a viewer: {vic}");

    let mut w = World::new();
    assert_eq!(board(&mut w, OLGA), "mode supervised\nnothing waits, nothing runs");
    w.say(OLGA, "/newtask build");
    assert!(board(&mut w, OLGA).contains("#1 build waits for /approve by one of 3 approvers · Olga"));
    w.say(AXEL, "/approve 1");
    w.say(OLGA, "/newtask build");
    let olga = board(&mut w, OLGA);
    assert!(olga.lines().nth(1).is_some_and(|l| l.starts_with("#1 build waits for your /resume 1 · Olga")), "{olga}");
    assert!(board(&mut w, VIC).contains("#1 build waits for its resume"));
    let mut w = World::with(|c| c.operators.retain(|id, _| [OLGA, AXEL].contains(id)));
    w.say(OLGA, "/newtask build");
    assert!(board(&mut w, OLGA).contains("waits for /approve by Axel"), "with a name where one can be called");
    w.say(OLGA, "/newtask audit");
    assert!(board(&mut w, AXEL).contains("#2 audit waits for your /review 2"));
}

#[test]
fn what_does_not_exist_is_answered_with_what_may_have_been_meant() {
    let mut w = World::new();
    let mut said = |text: &str| answers(&mut w, OLGA, OLGA, text).remove(0).text().to_owned();
    assert_eq!(said("/status 7"), "there is no task 7: nobody has asked for one yet");
    said("/newtask build");
    assert_eq!(said("/why 7"), "there is no task 7: the newest is 1 (/list)");
    assert_eq!(said("/trace 7"), "there is no task 7: the newest is 1 (/list)");
    assert_eq!(said("/stop 7"), "there is no task 7: the newest is 1 (/list)");
    assert_eq!(said("/newtask biuld x"), "there is no kind \"biuld\": did you mean build?");
    assert_eq!(said("/newtask frob x"), "there is no kind \"frob\": /kinds tells which there are");
    assert!(said("/list runing").contains("did you mean running?"));
    assert!(said("/trace tg-x").contains("as /status shows it"));
    assert_eq!(said("/stats 1"), "there is no /stats: did you mean /status?");
    assert_eq!(said("/log1"), "there is no /log1: did you mean /log 1?");
}

#[test]
fn who_pressed_what_is_known_of_tasks_of_before_that_was_kept_too() {
    let mut w = World::new();
    let again = w.run_task("build", "hang");
    w.say(BEA, &format!("/stop {again}"));
    w.quiet();
    w.say(OLGA, &format!("/recover {again}"));
    let twice = w.run_task("build", "exit:3");
    w.quiet();
    w.say(BEA, &format!("/recover {twice}"));
    w.say(AXEL, &format!("/approve {twice}"));
    w.say(BEA, &format!("/resume {twice}"));
    w.say(OLGA, "/newtask build");
    w.say(AXEL, "/reject 3 no");
    w.say(OLGA, "/newtask build");
    w.say(OLGA, "/stop 4");
    w.quiet();
    let pressed = |w: &World| -> Vec<_> {
        let rows = (1..=4).map(|id| w.task(id).task);
        rows.map(|row| (row.resumed_by, row.recovered_by, row.ended_by)).collect()
    };
    let by = |id: i64| Some(Actor::User(id));
    let known = [(None, by(OLGA), None), (by(BEA), by(BEA), None), (None, None, by(AXEL)), (None, None, by(OLGA))];
    assert_eq!(pressed(&w), known);
    w.power_loss(1_000);
    super::store::as_of_schema_1(&w.disk.path());
    w.start();
    assert_eq!(pressed(&w), known, "as the record tells");
    w.quiet();
    w.check();
}
