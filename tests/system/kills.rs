//! Crashes: the daemon killed at every moment of tasks' lives, alone and together with a shim.
//!
//! `MAINSTAY_TEST_KILLS` raises the number of kills, `MAINSTAY_TEST_SEED` repeats a run as far as the machine lets it.

use super::place::{Chance, Place, kill, kills_wanted, lives, until};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::Duration;

/// Kills of one test when nobody asks for more.
const KILLS: u64 = 24;

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// At once after the answer to the request.
    Answered(&'static str),
    /// As soon as there is a folder for an attempt: it was claimed, and nobody has said go.
    Claimed,
    /// As soon as the worker says that it began.
    Begun,
    /// As soon as the worker says that it ends: its receipt is being written.
    Ended,
    /// As soon as there is a receipt.
    Receipt,
    /// So long after the last wish was sent, whatever has happened by then.
    After(Duration),
    /// So long after the daemon was started again, in the middle of taking over.
    Restarted(Duration),
}

impl Moment {
    fn draw(chance: &mut Chance) -> Moment {
        let ms = |chance: &mut Chance, end: u64| Duration::from_micros(chance.below(end * 1_000));
        match chance.below(10) {
            0 => Moment::Answered("newtask"),
            1 => Moment::Answered("approve"),
            2 => Moment::Answered("resume"),
            3 => Moment::Claimed,
            4 => Moment::Begun,
            5 => Moment::Ended,
            6 => Moment::Receipt,
            7 => Moment::Restarted(ms(chance, 60)),
            _ => Moment::After(ms(chance, 120)),
        }
    }
}

/// A task as the test knows it.
struct Wish {
    id: i64,
    code: i64,
    /// Whether it was let run.
    resumed: bool,
}

/// Keeps a core busy as long as it is held.
struct Busy(Child);

impl Busy {
    fn begin() -> Busy {
        Busy(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("a busy process"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_start_right_after_a_kill_waits_until_the_dying_daemon_lets_go() {
    let mut place = Place::new("autonomy = \"auto\"", "");
    // With every core busy, a killed process waits for its turn to die.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let _busy: Vec<Busy> = (0..cores * 3).map(|_| Busy::begin()).collect();
    place.start();
    for round in 0..40 {
        // Every other time it is killed while it starts something: what it forked has all that it had open.
        if round % 2 == 0 {
            place.line().done(&["newtask", "light", "for 0 0"]);
        }
        place.kill_and_start();
    }
    place.assert_sound();
    place.terminate();
}

#[test]
fn killed_at_any_moment_it_runs_every_task_once_and_knows_how_each_ended() {
    kills("killed_at_any_moment", KILLS);
}

#[test]
fn killed_at_any_other_moment_it_does_so_too() {
    kills("killed_at_any_other_moment", KILLS);
}

fn kills(test: &str, at_least: u64) {
    let rounds = kills_wanted(at_least);
    let mut chance = Chance::new(test);
    let mut place = Place::new("", "");
    let mut wishes = Vec::new();
    place.start();
    for round in 0..rounds {
        let moment = Moment::draw(&mut chance);
        round_of(&mut place, &mut chance, round, moment, &mut wishes);
    }
    for wish in wishes.iter().filter(|wish| !wish.resumed) {
        place.line().ask(&["approve", &wish.id.to_string()]);
        place.line().done(&["resume", &wish.id.to_string()]);
    }
    for wish in &wishes {
        let state = if wish.code == 0 { "SUCCEEDED" } else { "FAILED" };
        let task = place.wait_for(wish.id, state);
        assert_eq!((&task["exit_code"], &task["attempt"]), (&json!(wish.code), &json!(1)), "{task}");
    }
    assert_ran_once(&place, &wishes);
    assert_eq!(place.events_of("requested").len(), wishes.len());
    place.assert_sound();
    until("nothing is left of the tasks", || place.processes().is_empty().then_some(()));
}

/// Asks for two tasks beside those that already run, kills the daemon at the moment, and starts it again.
fn round_of(place: &mut Place, chance: &mut Chance, round: u64, moment: Moment, wishes: &mut Vec<Wish>) {
    let line = place.line();
    for nth in 0..2 {
        let code = i64::try_from(chance.below(3)).expect("small");
        let prompt = format!("for 0.{:03} {code}", chance.below(200));
        let key = |what: &str| format!("{round}-{nth}-{what}");
        let mut killed = |place: &mut Place, after: &str, resumed: bool, id: i64| {
            let now = matches!(moment, Moment::Answered(what) if what == after && nth == 1);
            if now {
                place.kill();
                place.launch();
                wishes.push(Wish { id, code, resumed });
            }
            now
        };
        let asked = line.insist(&key("ask"), &["newtask", "work", &prompt]);
        let id = asked["data"]["task_id"].as_i64().expect("a task");
        if killed(place, "newtask", false, id) {
            return;
        }
        assert_eq!(line.insist(&key("approve"), &["approve", &id.to_string()])["ok"], true);
        if killed(place, "approve", false, id) {
            return;
        }
        assert_eq!(line.insist(&key("resume"), &["resume", &id.to_string()])["ok"], true);
        if killed(place, "resume", true, id) {
            return;
        }
        wishes.push(Wish { id, code, resumed: true });
    }
    let id = wishes.last().expect("a task was asked for").id;
    let attempt = |name: &str| place.path(&format!("state/attempts/{id}-1{name}")).exists();
    // Or it is over already: then the folder is in the archive.
    let over = || place.path(&format!("state/archive/{id}-1")).exists();
    match moment {
        Moment::Answered(_) => {}
        Moment::Claimed => until("a folder", || (attempt("") || over()).then_some(())),
        Moment::Begun => drop(place.wait_for_entry(id, "begin")),
        Moment::Ended => drop(place.wait_for_entry(id, "end")),
        Moment::Receipt => until("a receipt", || (attempt("/receipt.json") || over()).then_some(())),
        Moment::After(time) | Moment::Restarted(time) => std::thread::sleep(time),
    }
    place.kill();
    if let Moment::Restarted(time) = moment {
        place.launch();
        std::thread::sleep(time);
        place.kill();
    }
    // Sometimes it stays away until something has happened that it has to find out afterwards.
    if chance.below(3) == 0 && place.begun(id) == 1 {
        place.wait_for_entry(id, "end");
    }
    place.launch();
}

fn assert_ran_once(place: &Place, wishes: &[Wish]) {
    let mut began: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for entry in place.ledger() {
        assert_eq!(entry.attempt, 1, "{entry:?}");
        began.entry(entry.task).or_default().push(entry.what);
    }
    for wish in wishes {
        assert_eq!(began.get(&wish.id), Some(&vec!["begin".to_owned(), "end".to_owned()]), "task {}", wish.id);
    }
    assert_eq!(began.len(), wishes.len());
}

#[test]
fn a_task_that_ends_while_nobody_watches_keeps_its_exit_code() {
    let mut place = Place::new("", "");
    place.start();
    let ids: Vec<i64> = (0..4).map(|code| place.let_run("work", &format!("until go {code}"))).collect();
    for id in &ids {
        place.wait_for_entry(*id, "begin");
    }
    place.kill();
    place.release("go");
    for id in &ids {
        let receipt = place.path(&format!("state/attempts/{id}-1/receipt.json"));
        until("the receipt", || receipt.exists().then_some(()));
    }
    // A shim is there for a moment after its receipt, and would be taken over.
    until("the end of the shims", || place.processes().is_empty().then_some(()));
    place.start();
    for (code, id) in (0..).zip(&ids) {
        let state = if code == 0 { "SUCCEEDED" } else { "FAILED" };
        assert_eq!(place.wait_for(*id, state)["exit_code"], code);
        assert_eq!(place.begun(*id), 1);
    }
    assert_eq!(place.events_of("adopted"), Vec::<serde_json::Value>::new());
    place.assert_sound();
}

#[test]
fn daemon_and_shim_killed_the_outcome_is_unknown_and_only_an_idempotent_task_runs_again() {
    let mut place = Place::new("", "");
    place.start();
    let once = place.let_run("work", "until never 0");
    let again = place.let_run("again", "until go 0");
    let orphans = [once, again].map(|id| place.wait_for_entry(id, "begin"));
    let shims = [once, again].map(|id| place.shim(id));
    place.kill();
    for shim in shims {
        kill_process(shim, Signal::KILL).expect("kill");
    }
    place.start();
    let task = place.wait_for(once, "FAILED");
    assert_eq!((&task["outcome"], &task["attempt"]), (&json!("unknown"), &json!(1)), "{task}");
    assert!(!task["evidence"].as_str().unwrap_or_default().is_empty(), "{task}");
    // The other one's orphan is gone before it runs again.
    until("the second attempt", || (place.begun(again) == 2).then_some(()));
    assert!(orphans.iter().all(|pid| !lives(*pid)), "{orphans:?}");
    place.release("go");
    let task = place.wait_for(again, "SUCCEEDED");
    assert_eq!(task["attempt"], 2);
    // Neither another restart nor a wish lets the first one run again, unless it is recovered on purpose.
    place.kill();
    place.start();
    assert_eq!(place.line().ask(&["resume", &once.to_string()])["ok"], false);
    assert_eq!((place.begun(once), place.begun(again)), (1, 2));
    assert_eq!(place.line().done(&["recover", &once.to_string()])["state"], "REQUESTED");
    until("nothing is left", || place.processes().is_empty().then_some(()));
    place.assert_sound();
}

#[test]
fn a_shim_killed_under_a_living_daemon_is_noticed_at_once() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "until never 0");
    let worker = place.wait_for_entry(id, "begin");
    kill_process(place.shim(id), Signal::KILL).expect("kill");
    assert_eq!(place.wait_for(id, "FAILED")["outcome"], "unknown");
    assert!(!lives(worker));
    assert_eq!(place.begun(id), 1);
    place.assert_sound();
}

#[test]
fn a_worker_killed_from_outside_is_a_failure_with_its_signal() {
    let mut place = Place::new("", "");
    place.start();
    let id = place.let_run("work", "until never 0");
    kill(place.wait_for_entry(id, "begin"));
    let task = place.wait_for(id, "FAILED");
    assert_eq!((&task["outcome"], &task["signal"]), (&json!("failure"), &json!(Signal::KILL.as_raw())), "{task}");
    place.assert_sound();
}

#[test]
fn terminated_at_any_moment_it_ends_cleanly_and_tasks_go_on() {
    let mut chance = Chance::new("terminated_at_any_moment");
    let mut place = Place::new("", "");
    let mut ids = Vec::new();
    for round in 0..8 {
        place.start();
        ids.push(place.let_run("work", &format!("for 0.{:03} 0", chance.below(300))));
        std::thread::sleep(Duration::from_micros(chance.below(100_000)));
        assert_eq!(place.terminate().code(), Some(0), "round {round}");
        assert!(!place.line().connect().is_ok_and(|_| true));
    }
    place.start();
    for id in ids {
        assert_eq!(place.wait_for(id, "SUCCEEDED")["attempt"], 1);
        assert_eq!(place.begun(id), 1);
    }
    place.assert_sound();
}
