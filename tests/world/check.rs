//! What must hold whatever happened, judged from outside: by the machine's ledger, the chats, and the record as a file.

use super::World;
use mainstay::event::{Fact, Recorded};
use mainstay::id::{Actor, AttemptKey};
use mainstay::real::store::{FileStorage, Store, rebuild};
use mainstay::task::{Cause, Outcome, State};
use std::collections::BTreeMap;

impl World {
    /// What must hold at every moment.
    pub(crate) fn check(&self) {
        let store = self.store();
        let events = self.events();
        let machine = self.machine.borrow();
        assert!(machine.wrongs.is_empty(), "{:?}", machine.wrongs);
        for (key, times) in &machine.ran {
            assert_eq!(*times, 1, "attempt {key} ran {times} times");
            assert_may_run(&self.config, &events, *key);
        }
        for (key, folder) in machine.folders.iter().filter(|(_, f)| f.alive > 0) {
            let task = store.task(key.task).expect("readable").expect("what runs is on record");
            assert_eq!(
                (task.task.state, task.task.attempt),
                (State::Running, key.attempt),
                "the slot of {key} was freed while {} of its processes live",
                folder.alive
            );
        }
        assert_eq!(store.verify(1).expect("readable"), None, "the chain is broken");
        assert_life_cycle(&events);
    }

    /// That the tables are the sum of the record.
    pub(crate) fn check_rebuild(&self) {
        let folder = tempfile::TempDir::new_in(self.disk.path().parent().expect("a folder")).expect("a folder");
        let store = self.store();
        let target = FileStorage::new(folder.path().join("rebuilt.db"));
        let rebuilt: Store = rebuild(&store, &target).expect("the record can be replayed");
        let except = ["cursors"];
        let (is, should) = (store.dump(&except).expect("dump"), rebuilt.dump(&except).expect("dump"));
        if is != should {
            let lines: Vec<_> = is.lines().zip(should.lines()).filter(|(a, b)| a != b).take(5).collect();
            panic!("rebuilt differs: {lines:#?}");
        }
    }

    /// What must hold once nothing goes wrong any more and everything had time to settle.
    pub(crate) fn check_settled(&self) {
        self.check();
        self.check_rebuild();
        let db = self.disk.look();
        let unsent: Vec<String> = db
            .prepare(
                "SELECT format('%d %s due %d, chat %d next %d, %s', id, state, due, outbox.chat, next, error)
                 FROM outbox LEFT JOIN chats USING (chat) WHERE state NOT IN ('sent', 'refused')",
            )
            .and_then(|mut statement| statement.query_map([], |r| r.get(0))?.collect())
            .expect("rows");
        assert!(unsent.is_empty(), "messages that never went out by {}: {unsent:?}", self.now());
        let mut ends: BTreeMap<i64, usize> = BTreeMap::new();
        for event in self.events() {
            if event.fact.step().is_some_and(|s| s.to().is_terminal()) {
                *ends.entry(event.task.expect("a task ends").0).or_default() += 1;
            }
        }
        let moved = self.store().view().expect("readable").moved;
        for (task, ends) in ends {
            let Some(chat) = self.task(task).task.chat.filter(|chat| self.config.may_be_told(*chat, &moved)) else {
                continue;
            };
            // What was said in a group before it became a supergroup stays readable there.
            let before = self.chats.borrow().migrated.iter().find(|(_, to)| **to == chat).map(|(from, _)| *from);
            let reports: Vec<String> =
                before.into_iter().chain([chat]).flat_map(|chat| self.reports(chat, task)).collect();
            let (repeats, plain): (Vec<_>, Vec<_>) =
                reports.iter().partition(|text| text.starts_with("(possible repeat)"));
            assert!(reports.len() >= ends, "#{task} ended {ends} times, reported: {reports:?}");
            assert!(plain.len() <= ends, "unmarked repeats of #{task} ({ends} ends, {repeats:?}): {plain:?}");
        }
    }
}

/// Nothing runs without an approval and a resume of its present life, but what is light and in mode auto.
fn assert_may_run(config: &mainstay::config::Config, events: &[Recorded], key: AttemptKey) {
    let mine = || events.iter().filter(|e| e.task == Some(key.task));
    let claimed = mine().find(|e| e.attempt == Some(key.attempt) && matches!(e.fact, Fact::Claimed { .. }));
    let claimed = claimed.unwrap_or_else(|| panic!("{key} ran without a claim on record")).seq;
    let born = mine()
        .filter(|e| e.seq < claimed && matches!(e.fact, Fact::Requested { .. } | Fact::Recovered { .. }))
        .map(|e| e.seq)
        .max()
        .expect("what is claimed was asked for");
    let since = || mine().filter(|e| e.seq > born && e.seq < claimed);
    let resumed = since().find(|e| matches!(e.fact, Fact::Resumed { .. }));
    let resumed = resumed.unwrap_or_else(|| panic!("{key} ran without a resume"));
    let approvers: std::collections::BTreeSet<Actor> =
        since().filter(|e| matches!(e.fact, Fact::Approved { .. })).map(|e| e.actor).collect();
    assert!(!approvers.is_empty(), "{key} ran without an approval");
    let Some(Recorded { fact: Fact::Requested { kind, heavy, .. }, .. }) =
        mine().find(|e| matches!(e.fact, Fact::Requested { .. }))
    else {
        panic!("{key} was never asked for")
    };
    if resumed.actor == Actor::Policy {
        assert!(!heavy, "{key} is heavy and was resumed by nobody");
    }
    let unknown_before = mine().any(|e| {
        let retried = matches!(e.fact, Fact::Ended { outcome: Outcome::Unknown, retry: Some(_), .. });
        retried && e.attempt == key.attempt.checked_sub(1)
    });
    let idempotent = config.kinds.get(kind).is_some_and(|k| k.idempotent);
    assert!(idempotent || !unknown_before, "{key} ran after an unknown outcome");
    let needed = config.kinds.get(kind).map_or(0, |k| k.approvals);
    let human = approvers.iter().filter(|a| !matches!(a, Actor::Policy | Actor::System)).count();
    assert!(human >= needed as usize, "{key} ran with {human} of {needed} approvals");
}

/// Every step starts where the last one ended; ends are left by recover alone, success never.
fn assert_life_cycle(events: &[Recorded]) {
    let mut states: BTreeMap<i64, State> = BTreeMap::new();
    for event in events {
        let Some(task) = event.task else { continue };
        if matches!(event.fact, Fact::Requested { .. }) {
            assert_eq!(states.insert(task.0, State::Requested), None, "task {task} was created twice");
        }
        let Some(step) = event.fact.step() else { continue };
        let before = states.insert(task.0, step.to());
        assert_eq!(before, Some(step.from()), "step of {task} at {}", event.seq);
        if step.from().is_terminal() {
            assert_eq!(step.cause(), Cause::Recovered);
            assert_ne!(step.from(), State::Succeeded);
        }
    }
}
