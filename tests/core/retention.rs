//! The record gets shorter at its beginning, and stays what was recorded.

use crate::world::*;
use mainstay::event::{Fact, Outlived, Recorded};
use mainstay::policy;
use mainstay::real::store::{FileStorage, replay};
use mainstay::task::State;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000;

/// A world that keeps its record for so long.
fn keeping(keep_ms: i64) -> World {
    World::with(|config| config.record.keep_ms = keep_ms)
}

/// Events that belong to no task.
fn fill(w: &mut World, events: usize) {
    for n in 0..events / 2 {
        w.cli(if n % 2 == 0 { "mode auto" } else { "mode supervised" });
    }
}

/// All events that ever were: those that are there now with those that were there before.
#[derive(Default)]
struct Chronicle(BTreeMap<i64, Recorded>);

impl Chronicle {
    fn note(&mut self, w: &World) {
        self.0.extend(w.events().into_iter().map(|event| (event.seq, event)));
    }

    /// Lets time pass, in steps in which nothing new becomes old enough to go.
    fn note_for(&mut self, w: &mut World, ms: i64) {
        for _ in 0..ms / (HOUR / 4) {
            self.note(w);
            w.advance(HOUR / 4);
        }
        self.note(w);
    }

    /// Nothing but events is missing, and these from the beginning: what a replay of all of them comes to is what is there.
    fn assert_only_the_beginning_is_gone(&self, w: &World) -> i64 {
        let first = w.events().first().expect("some stay").seq;
        let folder = tempfile::TempDir::new().expect("a folder");
        let target = FileStorage::new(folder.path().join("replayed.db"));
        assert!(self.0.keys().copied().eq(1..=w.store().events()), "the chronicle is whole");
        let replayed = replay(self.0.values().cloned(), &target).expect("it can be replayed");
        let (is, should) = (w.store().dump(&["cursors"]), replayed.dump(&["cursors"]));
        assert!(is.expect("dump") == should.expect("dump"), "tables differ");
        assert_eq!(w.store().verify(1).expect("readable"), None);
        let gone: i64 =
            self.0.values().map(|event| if let Fact::Pruned { events, .. } = event.fact { events } else { 0 }).sum();
        assert_eq!(first, gone + 1);
        first
    }
}

#[test]
fn the_oldest_events_go_up_to_the_first_of_a_task_that_has_not_ended() {
    let mut w = keeping(HOUR);
    let mut all = Chronicle::default();
    let ended = w.run_task("build", "exit:0@10");
    w.quiet();
    let open = w.approved("build", "exit:0@10");
    let begins = w.events().iter().find(|event| event.task.is_some_and(|task| task.0 == open)).expect("asked for").seq;
    fill(&mut w, 600);
    all.note_for(&mut w, 3 * HOUR);
    assert_eq!(all.assert_only_the_beginning_is_gone(&w), begins);
    assert!(w.events().iter().any(|event| matches!(event.fact, Fact::Pruned { why: Outlived::Age, .. })));
    assert!(w.store().events() > 600, "numbers go on");
    let trace = w.cli(&format!("trace {ended}")).text;
    assert!(
        trace.contains("not complete any more") && trace.contains("all of this was removed from the record"),
        "{trace}"
    );
    assert!(!w.cli(&format!("trace {open}")).text.contains("removed from the record"));
    assert_eq!(w.state(ended), State::Succeeded, "the task itself stays");
    // It survives a restart, and goes on when there is more.
    w.restart();
    assert_eq!(w.events().first().expect("some").seq, begins);
    w.cli(&format!("resume {open}"));
    w.quiet();
    assert_eq!(w.state(open), State::Succeeded);
    all.note_for(&mut w, 3 * HOUR);
    let first = all.assert_only_the_beginning_is_gone(&w);
    assert!(first > begins);
    let trace = w.cli(&format!("trace {open}")).text;
    assert!(trace.contains("removed from the record: events up to "), "{trace}");
}

#[test]
fn the_newest_events_stay_however_old_they_are() {
    let mut w = keeping(HOUR);
    fill(&mut w, 1_000);
    w.advance(10 * HOUR);
    let events = w.events();
    let left = i64::try_from(events.len()).expect("few");
    assert!((policy::RECORD_KEPT_MIN..=policy::RECORD_KEPT_MIN + 1).contains(&left), "{left}");
    let before = w.store().events();
    w.advance(100 * HOUR);
    assert!(w.store().events() - before < 5, "with nothing to remove it is silent");
    w.check();
}

#[test]
fn a_database_that_is_too_large_loses_its_oldest_events() {
    let mut w = World::with(|config| config.record.max_bytes = 1);
    let mut all = Chronicle::default();
    fill(&mut w, 1_000);
    all.note(&w);
    w.advance(2 * policy::RECORD_LOOK_MS);
    all.note(&w);
    assert!(all.assert_only_the_beginning_is_gone(&w) > 700);
    assert!(w.events().iter().any(|event| matches!(event.fact, Fact::Pruned { why: Outlived::Size, .. })));
    let few = policy::RECORD_KEPT_MIN + i64::from(policy::RECORD_REMOVED_AT_ONCE) + 10;
    assert!(i64::try_from(w.events().len()).expect("few") < few);
}

#[test]
fn a_clock_that_is_set_years_ahead_removes_nothing() {
    let mut w = World::new();
    fill(&mut w, 1_000);
    let before = w.events().len();
    w.shared.wall_ms.set(w.shared.wall_ms.get() + 20 * 365 * 24 * HOUR);
    w.advance(HOUR);
    w.restart();
    w.advance(HOUR);
    assert!(w.events().len() >= before);
}

#[test]
fn whoever_removes_events_without_saying_so_is_found() {
    for (sql, found) in [
        // The beginning, without an event.
        ("DELETE FROM events WHERE seq < 20", 1),
        // The same, in a way that the trigger allows.
        ("UPDATE meta SET value = '700' WHERE key = 'pruned_through'; DELETE FROM events WHERE seq <= 700", 0),
    ] {
        let mut w = World::with(|config| config.record.max_bytes = if found == 0 { 1 } else { u64::MAX });
        fill(&mut w, 1_000);
        w.advance(2 * policy::RECORD_LOOK_MS);
        w.kill();
        let db = w.disk.look();
        if found == 1 {
            db.execute_batch("DROP TRIGGER events_are_not_removed").expect("triggers");
        }
        let first = w.events().first().expect("some").seq;
        if found == 1 {
            db.execute_batch(sql).expect("altered");
            assert_eq!(w.store().verify(1).expect("readable"), Some(found), "{sql}");
        } else {
            let more = first + 10;
            let sql = sql.replace("700", &more.to_string());
            db.execute_batch(&sql).expect("altered");
            assert_eq!(w.store().verify(1).expect("readable"), Some(first), "{sql}");
        }
    }
}

#[test]
fn the_record_refuses_the_removal_of_any_event_that_is_left() {
    let mut w = keeping(HOUR);
    fill(&mut w, 600);
    w.advance(3 * HOUR);
    let first = w.events().first().expect("some").seq;
    assert!(first > 1);
    let db = w.disk.look();
    for sql in [format!("DELETE FROM events WHERE seq = {first}"), "DELETE FROM events".to_owned()] {
        let error = db.execute(&sql, []).expect_err(&sql);
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    w.check();
}

#[test]
fn what_is_killed_while_it_removes_events_goes_on_and_removes_the_rest() {
    for calls in 0..12 {
        let mut w = keeping(HOUR);
        let mut all = Chronicle::default();
        fill(&mut w, 1_200);
        all.note_for(&mut w, HOUR);
        w.kill_in(calls);
        all.note_for(&mut w, HOUR / 2);
        if !w.is_up() {
            w.start();
        }
        all.note_for(&mut w, 3 * HOUR);
        let first = all.assert_only_the_beginning_is_gone(&w);
        assert!(first > 1_000, "killed in {calls}: {first}");
    }
}

#[test]
fn a_beginning_that_somebody_altered_is_left_as_it_is_and_ends_no_daemon() {
    let mut w = keeping(HOUR);
    fill(&mut w, 600);
    w.kill();
    let db = w.disk.look();
    db.execute_batch("DROP TRIGGER events_are_not_removed; DELETE FROM events WHERE seq = 7").expect("altered");
    drop(db);
    w.start();
    w.advance(10 * HOUR);
    assert!(w.is_up(), "{:?}", w.exit);
    assert_eq!(w.events().first().expect("some").seq, 1);
    assert!(w.cli("mode auto").ok);
    assert_eq!(w.store().verify(1).expect("readable"), Some(7));
}
