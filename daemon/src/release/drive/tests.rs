//! Whatever fails, and wherever it is killed and gone on with: one release runs in the end, and it is one that may.

use super::*;
use crate::release::Id;
use crate::release::known::{Here, Release, Wish};
use crate::release::switch::{Limits, Outcome, Step};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SAME: Database = Database { schema: 4, min_reader: 4, min_writer: 4 };

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

fn wish() -> Wish {
    let limits = Limits { ready_ms: 1, answer_ms: 1, soak_ms: 1 };
    Wish { limits, supervisor: None, config_file: None, force: None, no_way_back: false }
}

/// A machine with releases; which step of which of them fails, and after how many moves the command is killed.
struct Machine {
    /// What the disk has.
    kept: Known,
    current: Option<Id>,
    runs: Option<Id>,
    draining: bool,
    /// And when: `true` with its work done, `false` with nothing done.
    fails: BTreeMap<(Id, Step), bool>,
    moves_left: u32,
    /// It was killed: nothing it does counts.
    dead: bool,
    /// The disk takes nothing while a switch is at one of these steps.
    full_at: Vec<Step>,
    /// Somebody wants it to end once a switch to this release has come to this step.
    interrupted_at: Option<(Id, Step)>,
    is_interrupted: bool,
    now_ms: i64,
    flips: Vec<Id>,
}

impl Machine {
    fn new(releases: &[&str]) -> (Machine, Known) {
        let mut known = Known::default();
        for name in releases {
            let (staged_ms, database) = (0, SAME);
            let (signed_by, preflight, activated_ms, blessed, bad) = (None, None, None, None, None);
            known.staged(Release {
                id: id(name),
                staged_ms,
                signed_by,
                database,
                preflight,
                activated_ms,
                blessed,
                bad,
            });
        }
        let machine = Machine {
            kept: known.clone(),
            current: None,
            runs: None,
            draining: false,
            fails: BTreeMap::new(),
            moves_left: u32::MAX,
            dead: false,
            full_at: Vec::new(),
            interrupted_at: None,
            is_interrupted: false,
            now_ms: 0,
            flips: Vec::new(),
        };
        (machine, known)
    }

    fn here(&self) -> Here {
        Here { current: self.current.clone(), database: Some(SAME) }
    }

    /// One move more, if the command lives.
    fn lives(&mut self) -> Result<(), Failure> {
        match self.moves_left.checked_sub(1) {
            Some(left) => self.moves_left = left,
            None => self.dead = true,
        }
        if self.dead { Err(Failure::Halt("killed".to_owned())) } else { Ok(()) }
    }

    /// Switches with nobody killed.
    fn switch(&mut self, known: &mut Known, to: &str) {
        known.activate(&id(to), &self.here(), wish()).expect("nothing against it");
        drive(known, self).expect("it ends");
    }
}

impl Hands for Machine {
    fn keep(&mut self, known: &Known) -> Result<(), String> {
        self.lives().map_err(|_| "killed".to_owned())?;
        if known.switch.as_ref().is_some_and(|switch| self.full_at.contains(&switch.step)) {
            return Err("the disk is full".to_owned());
        }
        self.kept = Known::parse(known.text().as_bytes()).expect("what is written can be read");
        assert_eq!(self.kept, *known);
        Ok(())
    }

    fn perform(&mut self, known: &mut Known) -> Result<(), Failure> {
        self.lives()?;
        self.now_ms += 1;
        let switch = known.switch.as_mut().expect("under way");
        let (to, step) = (switch.to.clone(), switch.step);
        let fails = self.fails.get(&(to.clone(), step)).copied();
        if fails == Some(false) {
            return Err(Failure::Step("it does nothing".to_owned()));
        }
        match step {
            Step::Verify | Step::Preflight | Step::BackUp | Step::Soak => {}
            Step::Drain => {
                switch.drained = true;
                self.keep(known).map_err(Failure::Halt)?;
                self.draining = true;
            }
            Step::Flip => {
                self.current = Some(to.clone());
                self.flips.push(to.clone());
            }
            Step::Restart => {
                self.runs = self.current.clone();
                self.draining = false;
            }
        }
        // Done, and killed before that is written down.
        self.lives()?;
        self.is_interrupted |= self.interrupted_at.as_ref() == Some(&(to, step));
        if fails.is_some() {
            return Err(Failure::Step("it does".to_owned()));
        }
        Ok(())
    }

    fn lift_drain(&mut self) {
        self.draining &= self.dead;
    }

    fn database(&mut self) -> Option<Database> {
        Some(SAME)
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn interrupted(&self) -> bool {
        self.is_interrupted
    }

    fn say(&mut self, _: &str) {}
}

fn outcome(known: &Known) -> Option<Outcome> {
    known.last.as_ref().map(|last| last.outcome)
}

#[test]
fn what_fails_before_the_flip_changes_nothing_and_what_fails_later_leads_back() {
    for (step, does_it) in Way::Forward.steps().iter().flat_map(|step| [(step, true), (step, false)]) {
        let (mut machine, mut known) = Machine::new(&["a", "b"]);
        machine.switch(&mut known, "a");
        assert_eq!(outcome(&known), Some(Outcome::Blessed));
        machine.fails.insert((id("b"), *step), does_it);
        machine.switch(&mut known, "b");
        let expected = if step.may_have_flipped() { Outcome::WentBack } else { Outcome::Refused };
        assert_eq!(outcome(&known), Some(expected), "{step:?}");
        assert_eq!((&machine.current, &machine.runs), (&Some(id("a")), &Some(id("a"))), "{step:?}");
        assert!(!machine.draining, "{step:?}");
        // One that was left is not tried again without a reason.
        let again = known.activate(&id("b"), &machine.here(), wish());
        assert_eq!(again.is_err(), step.may_have_flipped(), "{step:?}");
    }
}

/// Neither of two is ever started anew: what runs has never ended.
#[test]
fn where_nothing_can_be_started_anew_the_daemon_that_runs_starts_tasks_again() {
    let (mut machine, mut known) = Machine::new(&["a", "b"]);
    machine.switch(&mut known, "a");
    machine.fails.extend([((id("a"), Step::Restart), false), ((id("b"), Step::Restart), false)]);
    machine.switch(&mut known, "b");
    assert_eq!(
        (outcome(&known), &machine.runs, &machine.current),
        (Some(Outcome::Stuck), &Some(id("a")), &Some(id("a")))
    );
    assert!(!machine.draining && known.untold);
    assert!(known.releases.iter().all(|release| release.bad.is_none()), "that says nothing of the releases");
}

/// Somebody undoes a switch that was cut off after the flip, and the check of the release before says no.
#[test]
fn what_has_not_proven_itself_and_can_not_be_left_is_told_of() {
    let (mut machine, mut known) = Machine::new(&["a", "b"]);
    machine.switch(&mut known, "a");
    known.activate(&id("b"), &machine.here(), wish()).expect("nothing against it");
    while known.switch.as_ref().is_some_and(|switch| switch.step != Step::Soak) {
        machine.perform(&mut known).expect("it goes well");
        known.done(0);
    }
    machine.fails.insert((id("a"), Step::Preflight), false);
    known.roll_back(None, &machine.here(), wish()).expect("there is one");
    drive(&mut known, &mut machine).expect("it ends");
    assert_eq!((outcome(&known), &machine.runs, known.untold), (Some(Outcome::Stuck), &Some(id("b")), true));
}

#[test]
fn it_never_flaps_between_two_that_fail() {
    for step in [Step::Verify, Step::Flip, Step::Restart, Step::Soak] {
        let (mut machine, mut known) = Machine::new(&["a", "b", "c"]);
        machine.switch(&mut known, "a");
        machine.switch(&mut known, "b");
        machine.flips.clear();
        machine.fails.insert((id("c"), Step::Soak), true);
        machine.fails.insert((id("b"), step), true);
        machine.switch(&mut known, "c");
        assert_eq!(outcome(&known), Some(Outcome::Stuck), "{step:?}");
        assert!(known.untold, "a person has to look");
        assert!(machine.flips.len() <= 2 && !machine.flips.contains(&id("a")), "{:?}", machine.flips);
        // Then somebody goes back by hand, past the one that failed too.
        known.roll_back(None, &machine.here(), wish()).expect("there is one");
        drive(&mut known, &mut machine).expect("it ends");
        assert_eq!((outcome(&known), machine.runs), (Some(Outcome::RolledBack), Some(id("a"))), "{step:?}");
    }
}

#[test]
fn who_wants_it_to_end_ends_it_before_the_flip_and_later_it_is_watched_all_the_same() {
    for step in Way::Forward.steps() {
        let (mut machine, mut known) = Machine::new(&["a", "b"]);
        machine.switch(&mut known, "a");
        machine.interrupted_at = Some((id("b"), *step));
        machine.switch(&mut known, "b");
        let gives_up = !step.may_have_flipped();
        let (expected, runs) = if gives_up { (Outcome::GivenUp, "a") } else { (Outcome::Blessed, "b") };
        assert_eq!((outcome(&known), &machine.runs), (Some(expected), &Some(id(runs))), "{step:?}");
        assert_eq!((&machine.current, machine.draining), (&Some(id(runs)), false), "{step:?}");
        // That is no word against it.
        assert_eq!(gives_up, known.activate(&id("b"), &machine.here(), wish()).is_ok(), "{step:?}");
    }
    // A way back goes on whatever anybody wants.
    let (mut machine, mut known) = Machine::new(&["a", "b"]);
    machine.switch(&mut known, "a");
    machine.fails.insert((id("b"), Step::Soak), true);
    machine.interrupted_at = Some((id("b"), Step::Soak));
    machine.switch(&mut known, "b");
    assert_eq!((outcome(&known), machine.runs), (Some(Outcome::WentBack), Some(id("a"))));
}

/// What is gone on with by nobody's word.
#[test]
fn one_that_was_cut_off_is_undone_before_the_flip_and_watched_from_there_on() {
    for fails in [false, true] {
        for moves in 0..40 {
            let (mut machine, mut known) = Machine::new(&["a", "b"]);
            machine.switch(&mut known, "a");
            machine.fails.extend(fails.then(|| ((id("b"), Step::Soak), true)));
            known.activate(&id("b"), &machine.here(), wish()).expect("nothing against it");
            machine.moves_left = moves;
            let _ = drive(&mut known, &mut machine);
            (machine.moves_left, machine.dead) = (u32::MAX, false);
            let mut known = machine.kept.clone();
            let flipped = known.switch.as_ref().is_some_and(|switch| !switch.can_be_given_up());
            let under_way = known.switch.is_some();
            finish(&mut known, &mut machine).expect("it ends");
            assert!(known.switch.is_none() && !machine.draining, "after {moves} moves");
            let b_stays = if under_way { flipped && !fails } else { outcome(&known) == Some(Outcome::Blessed) };
            let runs = match (under_way, b_stays, &known.last) {
                // It was over, or had not begun.
                (false, _, last) => last.as_ref().expect("one ended").to.clone(),
                (true, true, _) => id("b"),
                (true, false, _) => id("a"),
            };
            assert_eq!((&machine.current, &machine.runs), (&Some(runs.clone()), &Some(runs)), "after {moves} moves");
            // Whoever means the switch that is over already does not leave the one before it.
            if under_way && !b_stays {
                let refused = known.clone().roll_back(None, &machine.here(), wish()).expect_err("it is over");
                assert!(refused.contains("ended already") && refused.contains("a is current"), "{refused}");
            }
        }
    }
}

#[test]
fn a_way_back_that_was_cut_off_and_ended_by_itself_is_not_gone_once_more() {
    let (mut machine, mut known) = Machine::new(&["a", "b", "c", "d"]);
    for name in ["a", "b", "c"] {
        machine.switch(&mut known, name);
    }
    known.roll_back(None, &machine.here(), wish()).expect("to b");
    finish(&mut known, &mut machine).expect("it ends");
    assert_eq!((outcome(&known), &machine.runs), (Some(Outcome::RolledBack), &Some(id("b"))));
    assert!(known.clone().roll_back(None, &machine.here(), wish()).is_err(), "whoever gives it again means the same");
    known.roll_back(Some(&id("a")), &machine.here(), wish()).expect("who names it means it");
    drive(&mut known, &mut machine).expect("it ends");
    // Somebody was there this time.
    machine.switch(&mut known, "d");
    known.roll_back(None, &machine.here(), wish()).expect("to a");
}

/// The disk of the releases is full from some step on.
#[test]
fn what_can_not_be_written_down_stops_a_switch_only_before_the_flip() {
    for (n, step) in Way::Forward.steps().iter().enumerate() {
        for fails in [false, true] {
            let (mut machine, mut known) = Machine::new(&["a", "b"]);
            machine.switch(&mut known, "a");
            machine.fails.extend(fails.then(|| ((id("b"), Step::Soak), true)));
            machine.full_at = Way::Forward.steps()[n..].to_vec();
            known.activate(&id("b"), &machine.here(), wish()).expect("nothing against it");
            let ended = drive(&mut known, &mut machine);
            assert!(!machine.draining, "{step:?}: tasks start again");
            if *step <= Step::Flip {
                assert!(ended.is_err_and(|why| why.contains("the disk is full")), "{step:?}");
                assert_eq!((&machine.current, &machine.runs), (&Some(id("a")), &Some(id("a"))), "{step:?}");
                // With room it is gone on with where the disk has it; before the first step there is nothing to go on with.
                machine.full_at.clear();
                known = machine.kept.clone();
                drive(&mut known, &mut machine).expect("it ends");
                let runs = if fails || *step == Step::Verify { "a" } else { "b" };
                assert_eq!(machine.runs, Some(id(runs)), "{step:?}");
            } else {
                assert_eq!(ended, Ok(()), "{step:?}: it is watched to the end");
                let (expected, runs) = if fails { (Outcome::WentBack, "a") } else { (Outcome::Blessed, "b") };
                assert_eq!((outcome(&known), &machine.runs), (Some(expected), &Some(id(runs))), "{step:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Killed again and again, gone on with or undone: in the end the new one is blessed and runs, or the old one runs, or (only
    /// where that failed too) a person is asked.
    #[test]
    fn however_it_is_killed_one_that_may_run_runs_in_the_end(
        failing in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3),
        kills in prop::collection::vec((0_u32..12, any::<bool>()), 0..6),
    ) {
        let (mut machine, mut known) = Machine::new(&["a", "b"]);
        machine.switch(&mut known, "a");
        machine.flips.clear();
        let points: Vec<(Id, Step)> =
            ["b", "a"].iter().flat_map(|name| Way::Forward.steps().iter().map(|step| (id(name), *step))).collect();
        for (index, does_it) in &failing {
            machine.fails.insert(points[index.index(points.len())].clone(), *does_it);
        }
        known.activate(&id("b"), &machine.here(), wish()).expect("nothing against it");
        let mut gone_on = kills.len();
        for (moves, undo) in &kills {
            (machine.moves_left, machine.dead) = (*moves, false);
            let undone = *undo && known.switch.as_ref().is_some_and(|switch| switch.way == Way::Forward);
            let ended = if undone && give_up(&mut known, &mut machine, "somebody wanted it") == Ok(true) {
                Ok(())
            } else {
                if undone && known.switch.is_some() {
                    let _ = known.roll_back(None, &machine.here(), wish());
                }
                drive(&mut known, &mut machine)
            };
            if ended.is_ok() && !machine.dead {
                break;
            }
            gone_on -= 1;
            // The next command knows what the disk has.
            known = machine.kept.clone();
            prop_assert!(machine.current.is_some(), "current leads somewhere");
        }
        (machine.moves_left, machine.dead) = (u32::MAX, false);
        drive(&mut known, &mut machine).expect("it ends");
        prop_assert!(known.switch.is_none() && !machine.draining);
        let a_fails = machine.fails.keys().any(|(release, _)| *release == id("a"));
        match outcome(&known).expect("it ended") {
            // Or it was killed before anything was written down, and never begun.
            Outcome::Blessed => {
                let last = known.last.as_ref().map(|last| last.to.clone());
                prop_assert_eq!((&machine.runs, &machine.current), (&last, &last));
            }
            Outcome::Refused | Outcome::GivenUp | Outcome::WentBack | Outcome::RolledBack if machine.current == Some(id("a")) => {
                prop_assert_eq!(&machine.runs, &Some(id("a")));
            }
            Outcome::Stuck => prop_assert!(a_fails, "the way back failed"),
            Outcome::Refused | Outcome::GivenUp | Outcome::WentBack | Outcome::RolledBack => {
                prop_assert!(false, "with {:?}", machine.current);
            }
        }
        // One way back at the most: b, then a, each perhaps more than once because a kill came in between.
        machine.flips.dedup();
        prop_assert!(machine.flips.len() <= 2, "{:?} after {} kills", machine.flips, kills.len() - gone_on);
    }
}
