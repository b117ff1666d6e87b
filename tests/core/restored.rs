//! A back-up is put back: nothing that was open in it runs by itself, and what is numbered anew is not numbered twice.

use crate::world::*;
use mainstay::event::Fact;
use mainstay::real::store::{FileStorage, Kinship, Store};
use mainstay::task::{Outcome, State};
use std::path::PathBuf;

/// A back-up of a world's database, in a folder of its own.
struct BackUp(tempfile::TempDir);

impl BackUp {
    fn of(w: &World) -> BackUp {
        let folder = tempfile::tempdir().expect("a folder");
        let backup = BackUp(folder);
        w.disk.look().execute("VACUUM INTO ?1", [backup.path().display().to_string()]).expect("copied");
        backup
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("backup.db")
    }

    /// Puts it in the place of the database of a world whose daemon is dead, marked as `mainstay restore` does.
    fn put_back(&self, w: &World) {
        assert!(!w.is_up());
        let replaced = w.store().replaced().expect("readable");
        let mut marked = Store::open(&FileStorage::new(self.path())).expect("whole");
        marked.mark_restored("backup.db", Some(&replaced)).expect("marked");
        drop(marked);
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", w.disk.path().display()));
        }
        std::fs::copy(self.path(), w.disk.path()).expect("put in place");
    }
}

fn evidence(w: &World, id: i64) -> String {
    w.task(id).task.evidence
}

#[test]
fn what_waited_is_held_until_somebody_asks_for_it_again() {
    let mut w = World::new();
    let requested = w.cli("newtask build exit:0").data["task_id"].as_i64().expect("a task");
    let approved = w.approved("build", "exit:0");
    let blocking = w.run_task("solo", "exit:0@600000");
    let queued = w.approved("solo", "exit:0");
    w.say(OLGA, &format!("/resume {queued}"));
    assert_eq!([requested, approved, queued].map(|id| w.state(id)), [State::Requested, State::Approved, State::Queued]);
    let backup = BackUp::of(&w);
    // Then it is approved, resumed, and runs.
    w.say(AXEL, &format!("/approve {requested}"));
    for id in [requested, approved] {
        w.say(OLGA, &format!("/resume {id}"));
    }
    w.advance(700_000);
    for id in [requested, approved, queued] {
        assert_eq!((w.state(id), w.ran(id, 1)), (State::Succeeded, 1), "{id}");
    }
    w.kill();
    backup.put_back(&w);
    w.start();
    w.advance(7 * 24 * 3_600_000);
    for id in [requested, approved, queued] {
        assert_eq!((w.state(id), w.ran(id, 1), w.ran(id, 2)), (State::Canceled, 1, 0), "{id}");
        let why = w.cli(&format!("why {id}")).text;
        assert!(why.contains("it may have run since the back-up"), "{why}");
        assert!(
            w.reports(OLGA, id).iter().chain(&w.reports(GROUP, id)).any(|text| text.contains("may have run since"))
        );
    }
    assert_eq!(w.state(blocking), State::Succeeded, "its receipt is there");
    assert_eq!(w.count(|f| matches!(f, Fact::Restored { .. })), 1);
    // Through all gates again: the approval of then was for what may have been done.
    w.say(OLGA, &format!("/recover {queued}"));
    assert!(!w.cli(&format!("resume {queued}")).ok);
    assert_eq!(w.state(queued), State::Requested);
    w.quiet();
    w.check_rebuild();
}

#[test]
fn what_ran_and_is_not_there_any_more_is_unknown_and_not_tried_again() {
    let mut w = World::new();
    let (hung, flaky) = (w.run_task("backup", "hang"), w.run_task("flaky", "exit:75@100000"));
    let claimed = w.approved("backup", "exit:0");
    w.machine.borrow_mut().fail_starts = 1;
    w.say(OLGA, &format!("/resume {claimed}"));
    assert_eq!((w.state(claimed), w.ran(claimed, 1)), (State::Running, 0));
    let backup = BackUp::of(&w);
    w.advance(200_000);
    assert!(w.ran(flaky, 2) == 1 && w.ran(claimed, 1) == 1, "they ran on");
    w.kill();
    // Their folders were put away since, but for a receipt of the first try.
    for gone in [key(hung, 1), key(claimed, 1), key(flaky, 2)] {
        w.machine.borrow_mut().kill_shim(gone);
        w.machine.borrow_mut().folders.remove(&gone);
    }
    backup.put_back(&w);
    w.start();
    // Whoever is killed now has taken it up for good.
    w.restart();
    w.advance(24 * 3_600_000);
    for (id, outcome) in [(hung, Outcome::Unknown), (claimed, Outcome::Unknown), (flaky, Outcome::Failure)] {
        assert_eq!((w.state(id), w.task(id).task.outcome), (State::Failed, Some(outcome)), "{id}");
        assert!(evidence(&w, id).contains("a back-up was restored: it may have run again"), "{}", evidence(&w, id));
    }
    assert_eq!((w.ran(hung, 2), w.ran(claimed, 2)), (0, 0));
    w.check_rebuild();
}

#[test]
fn what_runs_still_is_adopted_and_tried_again_as_ever() {
    let mut w = World::new();
    let id = w.run_task("flaky", "exit:75@100000");
    let backup = BackUp::of(&w);
    w.kill();
    backup.put_back(&w);
    w.start();
    assert_eq!((w.state(id), w.count(|f| matches!(f, Fact::Adopted { .. }))), (State::Running, 1));
    w.advance(1_000_000);
    assert_eq!([1, 2, 3].map(|attempt| w.ran(id, attempt)), [1, 1, 1], "nothing can have followed from what still ran");
    w.quiet();
    w.check_settled();
}

#[test]
fn numbers_offsets_and_lives_go_on_from_the_later_record() {
    let mut w = World::new();
    w.run_task("build", "exit:0");
    w.quiet();
    let backup = BackUp::of(&w);
    let lost = w.run_task("build", "exit:0");
    for _ in 0..3 {
        w.restart();
    }
    w.quiet();
    let (cursor, epoch) = (w.store().cursor(BOT).expect("readable"), w.events().last().expect("events").epoch);
    let messages = w.texts(OLGA).len();
    w.kill();
    backup.put_back(&w);
    w.start();
    w.quiet();
    assert_eq!(w.store().cursor(BOT).expect("readable"), cursor);
    assert_eq!(w.texts(OLGA).len(), messages, "nothing is said again");
    let next = w.run_task("build", "exit:0");
    assert!(next > lost, "{next} was given before");
    let epochs: Vec<i64> = w.events().iter().map(|e| e.epoch).collect();
    assert!(epochs.is_sorted() && epochs.last() > Some(&epoch), "{epochs:?}");
    w.restart();
    assert_eq!(w.count(|f| matches!(f, Fact::Restored { .. })), 1, "once");
    w.quiet();
    // What the lost task did is in the book of the world alone.
    w.check_rebuild();
}

#[test]
fn what_waited_to_be_sent_is_sent_as_a_possible_repeat() {
    let mut w = World::new();
    w.chats.borrow_mut().outage = Some(Fault::NotSent);
    let id = w.run_task_unseen("build", "exit:0");
    w.advance(1_000);
    let backup = BackUp::of(&w);
    w.chats.borrow_mut().outage = None;
    w.advance(600_000);
    assert_eq!(w.reports(OLGA, id).len(), 1);
    w.kill();
    backup.put_back(&w);
    w.start();
    w.advance(600_000);
    let reports = w.reports(OLGA, id);
    assert!(reports.len() == 2 && reports[1].starts_with("(possible repeat)"), "{reports:?}");
    w.quiet();
    w.check_rebuild();
}

#[test]
fn records_are_told_apart_by_what_is_in_both() {
    let mut w = World::new();
    w.cli("newtask build");
    let (early, foreign) = (BackUp::of(&w), BackUp::of(&World::with(|config| config.running_max = 5)));
    w.cli("newtask build");
    let parted = BackUp::of(&w);
    w.kill();
    early.put_back(&w);
    w.start();
    w.cli("newtask build");
    let open = |backup: &BackUp| Store::open(&FileStorage::new(backup.path())).expect("whole");
    let (later, now) = (BackUp::of(&w), w.store());
    for (backup, kinship) in [(&later, Kinship::Same), (&parted, Kinship::Parted), (&foreign, Kinship::Foreign)] {
        assert_eq!(now.kinship(&open(backup)).expect("readable"), kinship);
        assert_eq!(open(backup).kinship(&now).expect("readable"), kinship);
    }
}
