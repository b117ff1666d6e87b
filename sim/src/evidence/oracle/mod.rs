//! What should be: a model of the lives of tasks, made of what people said and pressed, what they were answered, and what the
//! machine ran. It is a second opinion on the life cycle, written without a look at the daemon's.
//!
//! It is told no order but that in which people spoke. When exactly something was heard is not known, only that it was
//! between the word and the answer; so a task has not one state in here but all that it can be in ([`gates`]). An answer is
//! wrong if it fits none of them, and it leaves those that it fits.

mod answer;
pub(super) mod gates;

use super::replies::{Replies, Reply};
use crate::fault::Fault;
use crate::people::{Given, user_of};
use crate::property::{Evidence, Part};
use answer::Said;
use gates::{Gate, Phase, Where};
use mainstay::config::Kind;
use mainstay::policy;
use std::collections::{BTreeMap, BTreeSet};

/// So long an answer may take when nothing is out of order, ms: a call to Telegram is given so long, below an operator's
/// patience.
const WITHIN_MS: i64 = policy::CALL_GIVE_UP_MS;
/// The same when something was: until polling has recovered.
const LATE_MS: i64 = 80_000;
/// From an end to its being noticed, when nothing is out of order, ms.
const NOTICED_MS: i64 = 5_000;

/// A task as the model knows it.
pub(super) struct Life {
    pub(super) kind: Kind,
    /// Which job it is of: the first is 0.
    pub(super) job: usize,
    /// Who asked for it: Telegram's number.
    pub(super) requester: i64,
    /// When it was asked for, ms.
    pub(super) made_ms: i64,
    /// All that may stand between it and running.
    pub(super) gates: BTreeSet<Gate>,
    /// What was done to it: by whose word, which verb, when it was said, and whether that is known.
    pub(super) acts: Vec<Act>,
}

/// Something that somebody did to a task.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) verb: &'static str,
    pub(super) at: i64,
    /// It was answered as done; else nobody answered, and it may have been.
    pub(super) done: bool,
}

/// What is to be said of a command.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    pub(super) reply: Option<Reply>,
    pub(super) within_ms: i64,
    pub(super) wrong: Option<String>,
}

/// All tasks, and what is to be said of each command.
pub(super) struct Lives {
    pub(super) tasks: BTreeMap<i64, Life>,
    /// In the order of what was given.
    pub(super) judged: Vec<Judged>,
    /// When the machine's processes were struck: what runs then may end without anybody's knowing how.
    pub(super) struck: Vec<i64>,
}

impl Lives {
    /// Goes through all that people gave, in order.
    pub(super) fn of(e: &Evidence<'_>, given: &[Given], replies: &Replies, faults: &[(i64, Fault)]) -> Lives {
        let strikes = |fault: &Fault| matches!(fault, Fault::PowerLoss { .. } | Fault::ShimKilled { .. });
        let struck = faults.iter().filter(|(_, fault)| strikes(fault)).map(|(at, _)| *at).collect();
        let mut lives = Lives { tasks: BTreeMap::new(), judged: Vec::new(), struck };
        for (n, asked) in e.asked.iter().enumerate() {
            for task in &asked.tasks {
                let Some(kind) = e.config.kinds.get(&asked.job.kind) else { continue };
                let (made_ms, requester) = (asked.at.unwrap_or(0), user_of(&asked.job.by).0);
                let gates = BTreeSet::from([Gate::new(kind, made_ms)]);
                let (kind, acts) = (kind.clone(), Vec::new());
                lives.tasks.insert(*task, Life { kind, job: n, requester, made_ms, gates, acts });
            }
        }
        // Which task came of which wish: who asked again for a job is not who asked first.
        for one in given.iter().filter(|one| matches!(one.verb, Some("newtask" | "rerun"))) {
            let made = replies.to(one).and_then(|reply| answer::new_task(&reply.text));
            if let Some(life) = made.and_then(|task| lives.tasks.get_mut(&task)) {
                (life.made_ms, life.requester) = (one.at, one.by.0);
                life.gates = BTreeSet::from([Gate::new(&life.kind, one.at)]);
            }
        }
        for one in given {
            let reply = replies.to(one);
            let within_ms = within(e, one.at, reply.as_ref().map_or(e.now_ms, |reply| reply.at));
            let wrong = lives.judge(e, one, reply.as_ref());
            lives.judged.push(Judged { reply, within_ms, wrong });
        }
        lives
    }

    fn judge(&mut self, e: &Evidence<'_>, given: &Given, reply: Option<&Reply>) -> Option<String> {
        let verb = given.verb?;
        let (lo, hi) = (given.at, reply.map_or(given.at + LATE_MS, |reply| reply.at));
        match (verb, given.task) {
            ("newtask", _) => self.asked_for(e, given, reply?, None),
            ("rerun", Some(old)) => match self.tasks.get(&old).map(|life| life.job) {
                Some(job) => self.asked_for(e, given, reply?, Some(job)),
                None => answer::no_such_task(old, &reply?.text),
            },
            (_, Some(task)) => {
                let Some(life) = self.tasks.get_mut(&task).filter(|life| life.made_ms <= hi) else {
                    return answer::no_such_task(task, &reply?.text);
                };
                if answer::reads(verb) {
                    return answer::read_of_task(e, verb, task, life, &self.struck, (lo, hi), &reply?.text);
                }
                life.take(e, given, task, &self.struck, reply)
            }
            (_, None) => {
                let newest = self.tasks.iter().filter(|(_, life)| life.made_ms + LATE_MS < lo).map(|(task, _)| *task);
                answer::read(verb, newest.max(), &reply?.text)
            }
        }
    }

    /// A task was asked for: the answer names it.
    fn asked_for(&mut self, e: &Evidence<'_>, given: &Given, reply: &Reply, again: Option<usize>) -> Option<String> {
        let disk = e.outages.any(&[Part::Disk], given.at, reply.at);
        if disk && reply.text.starts_with("the disk is full") {
            return None;
        }
        let Some(task) = answer::new_task(&reply.text) else {
            return Some(format!("no task was made: {:?}", reply.text));
        };
        let Some(life) = self.tasks.get(&task) else {
            return Some(format!("task {task} was answered, and nobody's job is known by that number"));
        };
        if let Some(job) = again.filter(|job| *job != life.job) {
            return Some(format!("task {task} is of job {} and not of job {}", life.job + 1, job + 1));
        }
        None
    }
}

impl Life {
    /// A wish that changes something, with its answer: whether it fits, and what is left.
    fn take(
        &mut self,
        e: &Evidence<'_>,
        given: &Given,
        task: i64,
        struck: &[i64],
        reply: Option<&Reply>,
    ) -> Option<String> {
        let verb = given.verb?;
        let (lo, hi) = (given.at, reply.map_or(given.at + LATE_MS, |reply| reply.at));
        let mut fits: BTreeMap<bool, BTreeSet<Gate>> = BTreeMap::new();
        for gate in &self.gates {
            for place in gate.places(e, task, self, struck, (lo, hi)) {
                let yes = gate.lets(verb, given.by.0, self, place);
                let after = if yes { gate.after(verb, given, self, place, hi) } else { gate.moved_to(place) };
                fits.entry(yes).or_default().insert(after);
            }
        }
        let said = reply.map(|reply| answer::said(verb, &reply.text));
        let (done, wrong) = match said {
            // It may have been done, or not.
            None => {
                let all: BTreeSet<Gate> = fits.values().flatten().cloned().collect();
                self.gates.extend(all);
                (fits.contains_key(&true), None)
            }
            Some(Said::NotNow) if e.outages.any(&[Part::Disk], lo, hi) => (false, None),
            // Somebody was faster, or the card had moved on: also where the wish itself could have been done.
            Some(Said::Gone) if self.moved(lo - LATE_MS, hi) || fits.contains_key(&false) => (false, None),
            Some(Said::NotNow | Said::Gone) => (false, Some(())),
            Some(Said::Done | Said::No) => {
                let done = said == Some(Said::Done);
                match fits.remove(&done) {
                    Some(left) => self.gates = left,
                    None if done => {
                        self.gates =
                            fits.into_values().flatten().map(|gate| gate.forced(verb, given, self, hi)).collect();
                        self.acts.push(Act { verb, at: given.at, done });
                        return Some(self.unfit(verb, reply));
                    }
                    None => return Some(self.unfit(verb, reply)),
                }
                (done, None)
            }
        };
        if done {
            self.acts.push(Act { verb, at: given.at, done: reply.is_some() });
        }
        wrong.map(|()| self.unfit(verb, reply))
    }

    fn unfit(&self, verb: &str, reply: Option<&Reply>) -> String {
        let places: BTreeSet<Phase> = self.gates.iter().map(|gate| gate.phase).collect();
        format!("/{verb} was answered {:?} by a task that is {places:?}", reply.map(|reply| reply.text.as_str()))
    }

    /// Something was done to it between these times.
    fn moved(&self, from: i64, until: i64) -> bool {
        self.acts.iter().any(|act| (from..=until).contains(&act.at))
    }

    /// Where it can be at a time, as far as that can be known.
    pub(super) fn places(&self, e: &Evidence<'_>, task: i64, struck: &[i64], at: (i64, i64)) -> BTreeSet<Where> {
        self.gates.iter().flat_map(|gate| gate.places(e, task, self, struck, at)).collect()
    }
}

/// How long an answer may take: a good while, and all the time that anything it needs was out of order.
pub(super) fn within(e: &Evidence<'_>, from: i64, until: i64) -> i64 {
    late(e, from, until, WITHIN_MS)
}

/// How long it may take until an end is noticed.
fn noticed(e: &Evidence<'_>, from: i64, until: i64) -> i64 {
    late(e, from, until, NOTICED_MS)
}

fn late(e: &Evidence<'_>, from: i64, until: i64, in_order: i64) -> i64 {
    let since = from - LATE_MS;
    // What is out of order only after an answer is late is no excuse.
    match e.outages.any(&Part::ALL, since, until.min(from + in_order)) {
        false => in_order,
        true => LATE_MS + in_order + e.outages.between(&Part::ALL, from, until),
    }
}
