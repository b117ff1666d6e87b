//! Trouble with the disk while the daemon runs.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::exit::ExitCode;
use mainstay::task::State;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

#[test]
fn while_the_database_is_locked_nothing_is_started_and_nothing_is_lost() {
    let mut w = World::new();
    let approved = w.approved("build", "exit:0");
    let running = w.run_task("build", "exit:0@5000");
    w.quiet();
    assert_eq!(w.state(running), State::Succeeded);
    let running = w.run_task("build", "exit:0@5000");
    let lock = w.disk.look();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let connection = w.request("k", &format!("resume {approved}"));
    w.settle();
    let refused = w.answer(connection).expect("an answer at once");
    assert!(!refused.ok && refused.text.contains("nothing was done"), "{refused:?}");
    w.say(OLGA, "/newtask build said while the disk was away");
    w.advance(60_000);
    assert!(w.is_up());
    assert_eq!((w.state(approved), w.ran(approved, 1)), (State::Approved, 0));
    lock.execute_batch("COMMIT").expect("unlocked");
    drop(lock);
    w.quiet();
    assert_eq!(w.state(running), State::Succeeded, "its end was kept");
    assert_eq!(w.tasks(), 4, "and so was what was said");
    assert_eq!(w.count(|f| matches!(f, Fact::StorageRecovered { .. })), 1);
    assert!(w.cli_again("k", &format!("resume {approved}")).ok);
    w.quiet();
    assert_eq!(w.ran(approved, 1), 1);
    w.check_settled();
}

#[test]
fn while_the_database_refuses_questions_are_answered_and_changes_refused() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0");
    w.quiet();
    assert_eq!(w.cli("ops").data["status"], "healthy");
    let lock = w.disk.look();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    // The first of them meets the trouble in its own turn, the others while it is waited out; most before any is answered.
    let change = w.request("k", "newtask build");
    let questions = [
        format!("status {id}"),
        format!("log {id}"),
        format!("trace {id}"),
        "list".into(),
        "ops".into(),
        "stat 1".into(),
    ];
    let asked = questions.map(|question| (w.request(&question, &question), question));
    w.settle();
    let refused = w.answer(change).expect("an answer at once");
    assert!(!refused.ok && refused.text.contains("nothing was done"), "{refused:?}");
    for (connection, question) in asked {
        let now = w.answer(connection).unwrap_or_else(|| panic!("no answer to {question}"));
        if question == "ops" {
            assert_eq!(now.data["status"], "broken");
            assert!(now.text.contains("database is locked: nothing new starts"), "{now:?}");
            continue;
        }
        let later = w.cli(&question);
        assert_eq!((&now.text, now.ok), (&later.text, later.ok));
        let offered = if question == "stat 1" { "did you mean" } else { "" };
        assert!(now.text.contains(offered) && now.ok == offered.is_empty(), "{question}: {now:?}");
    }
    assert!(!w.cli("newtask build").ok);
    lock.execute_batch("COMMIT").expect("unlocked");
    drop(lock);
    w.quiet();
    assert_eq!((w.tasks(), w.cli("ops").data["status"].clone()), (1, "healthy".into()));
    w.check_settled();
}

#[test]
fn a_commit_that_reported_failure_and_is_there_is_performed_once() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0");
    w.quiet();
    w.disk.lie_in.store(0, Relaxed);
    let connection = w.request("k", &format!("resume {id}"));
    w.settle();
    assert!(w.answer(connection).is_none(), "nobody knows yet what to say");
    w.quiet();
    let answer = w.answer(connection).expect("an answer");
    assert!(answer.ok, "{answer:?}");
    assert_eq!((w.state(id), w.ran(id, 1), w.reports(OLGA, id).len()), (State::Succeeded, 1, 1));
    w.check_settled();
}

#[test]
fn after_a_failed_commit_nothing_is_acknowledged_before_the_log_was_emptied() {
    let mut w = World::new();
    w.quiet();
    let reader = w.disk.look();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("a reader");
    w.disk.lie_in.store(0, Relaxed);
    let connection = w.request("k", "newtask build");
    w.settle();
    let before = w.events().len();
    w.say(OLGA, "/newtask build");
    w.advance(60_000);
    assert!(w.is_up() && w.answer(connection).is_none());
    assert_eq!(w.events().len(), before, "nothing is committed behind what may be a gap");
    assert!(w.cli("list").ok, "questions are answered");
    reader.execute_batch("COMMIT").expect("it has read");
    w.quiet();
    assert!(w.answer(connection).is_some_and(|answer| answer.ok));
    assert_eq!(w.tasks(), 2);
    w.check_settled();
}

#[test]
fn a_new_daemon_waits_for_who_reads_the_log_of_the_last_one() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0");
    let reader = w.disk.look();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").expect("a reader");
    w.say(OLGA, "/newtask build");
    w.request("k", "newtask build");
    w.settle();
    w.kill();
    let before = w.events().len();
    w.start();
    w.advance(60_000);
    assert!(w.is_up());
    assert_eq!(w.events().len(), before, "nothing is committed behind what may be a gap");
    assert!(w.cli("list").ok);
    let refused = w.cli(&format!("resume {id}"));
    assert!(!refused.ok && refused.text.contains("somebody reads it"), "{refused:?}");
    // Asked again by a client that did not live to hear the first answer.
    let again = w.cli_again("k", "newtask build");
    assert!(!again.ok && again.text.contains("already taken up before that as task 3"), "{again:?}");
    w.terminate();
    assert!(matches!(w.exit, Some(Exit::Ended(Ok(())))), "{:?}", w.exit);
    w.start();
    assert!(w.is_up());
    reader.execute_batch("COMMIT").expect("it has read");
    w.quiet();
    assert!(w.cli(&format!("resume {id}")).ok);
    w.quiet();
    assert_eq!((w.state(id), w.ran(id, 1)), (State::Succeeded, 1));
    w.check_settled();
}

#[test]
fn a_commit_that_fails_anywhere_loses_nothing_and_does_nothing_twice() {
    for lie in [true, false] {
        let mut struck = 0;
        for at in 0..40 {
            let mut w = World::new();
            let counter = if lie { w.disk.lie_in.clone() } else { w.disk.break_in.clone() };
            counter.store(at * if lie { 1 } else { 7 }, Relaxed);
            let id = w.run_task_unseen("backup", "exit:0@2000 progress:half@1000");
            w.quiet();
            w.quiet();
            w.quiet();
            assert!(w.is_up(), "{:?}", w.exit);
            assert_eq!((w.tasks(), w.state(id), w.ran(id, 1), w.ran(id, 2)), (1, State::Succeeded, 1, 0), "{lie} {at}");
            struck += usize::from(counter.load(Relaxed) < 0);
            w.check_settled();
        }
        assert!(struck > 10, "{struck} of them met the trouble");
    }
}

#[test]
fn a_full_disk_is_weathered_and_told() {
    let mut w = World::new();
    let id = w.run_task("build", "exit:0@600000");
    w.quiet();
    w.kill();
    w.disk.pages_max.set(Some(w.disk.pages() + 2));
    w.start();
    let mut refused = None;
    for _ in 0..200 {
        let connection = w.request("", &format!("newtask build {}", "x".repeat(2_000)));
        w.settle();
        refused = w.answer(connection).filter(|a| !a.ok);
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("at some time it is full");
    assert!(refused.text.contains("full"), "{refused:?}");
    w.advance(60_000);
    assert!(w.is_up());
    w.disk.pages_max.set(None);
    w.advance(30_000);
    assert!(w.cli("newtask build").ok);
    w.advance(600_000);
    assert_eq!(w.state(id), State::Succeeded);
    w.check();
    w.check_rebuild();
}

#[test]
fn signs_of_life_go_on_while_the_database_refuses() {
    const HALF: Duration = Duration::from_secs(2);
    let mut w = World::new();
    w.watch(HALF);
    w.quiet();
    let lock = w.disk.look();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    w.say(OLGA, "/newtask build");
    let from = w.now();
    w.advance(120_000);
    let signs = w.signs_of_life(from);
    let longest = signs.windows(2).map(|pair| pair[1] - pair[0]).max().expect("signs of life");
    assert!(longest <= 2_000, "{longest} ms without one");
    lock.execute_batch("COMMIT").expect("unlocked");
    drop(lock);
    w.quiet();
    assert_eq!(w.tasks(), 1);
    w.check_settled();
}

#[test]
fn while_there_is_hardly_any_room_nothing_new_starts() {
    let mut w = World::new();
    w.disk.free.set(Some(32 << 20));
    let id = w.run_task("build", "exit:0");
    w.quiet();
    assert_eq!((w.state(id), w.cli("ops").data["status"].clone()), (State::Queued, "broken".into()));
    w.disk.free.set(Some(1 << 40));
    w.quiet();
    assert_eq!(w.state(id), State::Succeeded);
    assert_eq!(w.count(|f| matches!(f, Fact::DiskLow { .. } | Fact::DiskWell { .. })), 2);
    w.check_settled();
}

#[test]
fn on_a_full_disk_stops_are_carried_out_and_nothing_new_is_taken_up() {
    let mut w = World::new();
    let running = w.run_task("build", "hang");
    w.disk.free.set(Some(1 << 20));
    w.say(OLGA, "/newtask build");
    w.quiet();
    assert_eq!((w.shows(OLGA, "the disk is full (1 MiB left)"), w.tasks()), (1, 1));
    for line in ["newtask build", &format!("rerun {running}"), &format!("plan {running} p")] {
        let refused = w.cli_again("again", line);
        assert!(!refused.ok && refused.text.contains("nothing was done: make room"), "{line}: {refused:?}");
    }
    assert!(w.cli(&format!("stop {running}")).ok);
    w.quiet();
    assert_eq!(w.state(running), State::Canceled);
    w.disk.free.set(None);
    assert!(w.cli_again("again", "newtask build").ok, "the refused wish can be said again");
    assert_eq!(w.tasks(), 2);
    w.check();
}

#[test]
fn a_stop_that_can_not_be_recorded_tells_how_to_stop_by_hand() {
    let mut w = World::new();
    let running = w.run_task("build", "hang");
    let waiting = w.approved("build", "exit:0");
    let lock = w.disk.look();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let pid = w.task(running).attempt.and_then(|attempt| attempt.identity).expect("it runs").pid;
    for _ in ["in its own turn", "while it is waited out"] {
        let refused = w.cli(&format!("stop {running}"));
        assert!(!refused.ok && refused.text.contains(&format!("`kill {pid}` ends task {running}")), "{refused:?}");
    }
    assert!(!w.cli(&format!("stop {waiting}")).text.contains("kill"));
    lock.execute_batch("COMMIT").expect("unlocked");
}

#[test]
fn a_daemon_whose_database_was_taken_over_stops_and_writes_nothing() {
    let mut w = World::new();
    let id = w.approved("build", "exit:0");
    w.quiet();
    let other = w.disk.look();
    other
        .execute("INSERT INTO epochs SELECT max(epoch) + 1, boot, boot_ms, wall_ms, version, config FROM epochs", [])
        .expect("another daemon");
    let before = w.events().len();
    w.request("k", &format!("resume {id}"));
    w.settle();
    match &w.exit {
        Some(Exit::Ended(Err(fatal))) => assert_eq!(fatal.code, ExitCode::OwnershipLost),
        other => panic!("{other:?}"),
    }
    assert_eq!((w.events().len(), w.ran(id, 1)), (before, 0));
}

#[test]
fn a_daemon_that_was_taken_over_while_its_disk_was_away_stops() {
    let mut w = World::new();
    w.disk.refuse_open.set(true);
    w.disk.lie_in.store(0, Relaxed);
    w.say(OLGA, "/newtask build");
    w.advance(5_000);
    assert!(w.is_up());
    w.disk
        .look()
        .execute("INSERT INTO epochs SELECT max(epoch) + 1, boot, boot_ms, wall_ms, version, config FROM epochs", [])
        .expect("another daemon");
    w.disk.refuse_open.set(false);
    w.advance(30_000);
    assert!(matches!(&w.exit, Some(Exit::Ended(Err(fatal))) if fatal.code == ExitCode::OwnershipLost), "{:?}", w.exit);
}

#[test]
fn a_database_that_cannot_be_opened_at_the_start_ends_the_daemon_with_what_to_do() {
    let mut w = World::new();
    w.kill();
    w.disk.refuse_open.set(true);
    w.start();
    assert!(matches!(&w.exit, Some(Exit::Ended(Err(f))) if f.code == ExitCode::StateDirUnusable), "{:?}", w.exit);
    w.disk.refuse_open.set(false);
    w.disk.lie_in.store(0, Relaxed);
    w.start();
    assert!(matches!(&w.exit, Some(Exit::Ended(Err(f))) if f.code == ExitCode::StateDirUnusable), "{:?}", w.exit);
    w.start();
    assert!(w.is_up());
    w.check();
}
