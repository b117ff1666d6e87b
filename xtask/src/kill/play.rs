//! A run: rounds of wishes and blows on one machine, then calm, then everything is looked at.

use super::chance::{self, Blow, Chance, Moment, Round};
use super::evidence::{Evidence, Said, Word};
use super::lab::{Lab, PATIENCE, PROBERS, Step};
use super::wishes::{Open, Stage, Wishes};
use mainstay_metric::ledger::Fault;
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Wishes under way when a round begins: as many as leave the daemon something to do between two blows.
const OPEN_MAX: usize = 8;
/// On a full disk the daemon writes into what it has reserved, so often at most: some 700 times for each 4 MiB.
const WRITES_MAX: u32 = 10_000;
/// What ended is gone from the machine, and shown in the chat, within this.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) rounds: u64,
    pub(crate) seed: u64,
    pub(crate) on_small_disk: bool,
}

/// Plays it; the evidence, and why the run was cut off, if it was.
pub(crate) fn play(
    lab: Lab<'_>,
    script: Script,
    stop: &dyn Fn() -> bool,
    note: &dyn Fn(&str),
) -> (Evidence, i64, Option<String>) {
    let mut play = Play::new(lab, Wishes::new("kill", script.seed));
    let mut chance = Chance::new(script.seed);
    let mut rounds = (1..=script.rounds).take_while(|_| !stop());
    let played = rounds.try_for_each(|_| {
        let round = chance::round(&mut chance, script.on_small_disk);
        note(round.blow.class());
        play.round(&round)
    });
    let settled = played.and_then(|()| play.settle());
    // Whatever went wrong, what is there is looked at.
    let looked = play.look();
    let at = play.lab.now();
    let Play { lab, wishes, mut evidence, .. } = play;
    wishes.give(&mut evidence);
    lab.clear();
    (evidence, at, settled.and(looked).err())
}

/// A run under way: the machine, its people, and what was seen.
pub(crate) struct Play<'a> {
    pub(crate) lab: Lab<'a>,
    pub(crate) wishes: Wishes,
    pub(crate) evidence: Evidence,
    /// Fresh questions asked so far.
    probes: i64,
}

impl<'a> Play<'a> {
    pub(crate) fn new(lab: Lab<'a>, wishes: Wishes) -> Play<'a> {
        Play { lab, wishes, evidence: Evidence::default(), probes: 0 }
    }

    fn round(&mut self, round: &Round) -> Step {
        let places: Vec<usize> = round.plans.iter().map(|plan| self.wishes.add(plan.clone())).collect();
        let last = *places.last().ok_or("a round wants nothing")?;
        self.reach(round.moment, last)?;
        let struck = self.lab.now();
        let Some(blow) = self.strike(round, last)? else { return Ok(()) };
        let over = self.lab.now();
        self.wishes.outages.push((struck, over));
        let recovered = self.ask_afresh();
        self.evidence.faults.push(Fault {
            class: blow.class().to_owned(),
            polls: blow.stops_polls(),
            struck_ms: struck,
            over_ms: over,
            recovered_ms: recovered.as_ref().ok().copied(),
            by_hand: false,
        });
        recovered?;
        self.carry_on("fewer tasks under way", |play| play.under_way() <= OPEN_MAX)
    }

    /// Carries the wishes on until the last one is at this moment of its life.
    fn reach(&mut self, moment: Moment, last: usize) -> Step {
        let resumed = std::cell::Cell::new(None);
        let reached = self.carry_on("the moment of a blow", |play| play.is_at(moment, last, &resumed));
        reached.map_err(|why| format!("{why}: {moment:?} of {}", self.wishes.open[last].shown()))
    }

    fn is_at(&mut self, moment: Moment, last: usize, resumed: &std::cell::Cell<Option<Instant>>) -> bool {
        let open = &self.wishes.open[last];
        let (stage, task) = (open.stage, open.wish.task);
        let book = |word: Word| self.lab.book().iter().any(|e| Some(e.key.0) == task && e.word == word);
        let Some(id) = task else { return moment == Moment::Asked && stage > Stage::New };
        let lives = |name: &str| self.lab.attempt((id, 1), name).exists();
        // Or it is over already: then the folder is in the archive.
        let over = || self.lab.place.path(&format!("state/archive/{id}-1")).exists();
        match moment {
            Moment::Asked => stage > Stage::New,
            Moment::Approved => stage > Stage::Known,
            Moment::Resumed => stage > Stage::Approved,
            Moment::Claimed => lives("") || over(),
            Moment::Begun => book(Word::Begin),
            Moment::Ended => book(Word::End) || over(),
            Moment::Receipt => lives("/receipt.json") || over(),
            Moment::Reported => self.lab.chat.told.iter().any(|told| told.task == id),
            Moment::After(time) => {
                if stage > Stage::Approved && resumed.get().is_none() {
                    resumed.set(Some(Instant::now()));
                }
                resumed.get().is_some_and(|since| since.elapsed() >= time)
            }
        }
    }

    /// Tends the wishes until something is so.
    pub(crate) fn carry_on(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) -> Step {
        let start = Instant::now();
        loop {
            self.wishes.tend(&mut self.lab)?;
            if is_so(self) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{what} did not come within {} s", PATIENCE.as_secs()));
            }
            // Also notices a daemon that ended by itself.
            self.lab.until("a moment", |_| Some(()))?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Wishes that somebody still does something for, or whose tasks have not ended.
    fn under_way(&self) -> usize {
        let is_over = |task: Option<i64>| self.lab.chat.told.iter().any(|told| Some(told.task) == task);
        self.wishes.open.iter().filter(|open| open.stage != Stage::Rest || !is_over(open.wish.task)).count()
    }

    /// Strikes; what it was, or none if there was nothing to strike at.
    fn strike(&mut self, round: &Round, last: usize) -> Step<Option<Blow>> {
        match round.blow {
            Blow::KillDaemon => {
                self.lab.kill();
                self.away(round.lasts)?;
                if let Some(time) = round.once_more {
                    std::thread::sleep(time);
                    self.lab.kill();
                    self.lab.launch()?;
                }
            }
            Blow::KillShim => return Ok(self.strike_shim(last).map(|()| round.blow)),
            Blow::KillBoth => {
                self.lab.kill();
                let struck = self.strike_shim(last);
                self.away(round.lasts)?;
                return Ok(Some(if struck.is_some() { Blow::KillBoth } else { Blow::KillDaemon }));
            }
            Blow::StopDaemon => {
                self.lab.signal(Signal::STOP);
                std::thread::sleep(round.lasts);
                self.lab.signal(Signal::CONT);
            }
            Blow::EndDaemon => {
                let status = self.lab.end()?;
                self.evidence.ended.push(status.code());
                self.away(round.lasts)?;
            }
            Blow::DiskFull | Blow::DiskFullKilled => self.fill_up(round)?,
        }
        Ok(Some(round.blow))
    }

    /// The daemon stays away for a while, and comes back.
    fn away(&mut self, time: Duration) -> Step {
        std::thread::sleep(time);
        self.lab.launch()
    }

    /// Kills the shim of the wish's newest attempt.
    fn strike_shim(&mut self, last: usize) -> Option<()> {
        let task = self.wishes.open[last].wish.task?;
        let max = self.wishes.open[last].wish.plan.kind.attempts_max();
        let (key, pid) = (1..=max).rev().find_map(|n| Some(((task, n), self.lab.shim((task, n))?)))?;
        kill_process(pid, Signal::KILL).ok()?;
        self.evidence.struck.insert(key);
        Some(())
    }

    /// The disk is full until the daemon says so, and a while longer.
    fn fill_up(&mut self, round: &Round) -> Step {
        let disk = self.lab.disk.as_ref().ok_or("there is no disk to fill up")?;
        let filler = disk.fill().map_err(|e| format!("failed to fill the disk: {e}"))?;
        self.probes += 1;
        let refused = |n: u32| {
            // A long key, for the room that it takes: it is kept for ever.
            let key = format!("{:0100}-{}-{n}", 0, self.probes);
            let answer = self.lab.once(&key, &["stop", "999999"]).ok()?;
            answer["text"].as_str().filter(|text| text.contains("the daemon can't")).map(drop)
        };
        let full = (0..WRITES_MAX).find_map(refused);
        std::thread::sleep(round.lasts);
        if round.blow == Blow::DiskFullKilled {
            self.lab.kill();
        }
        std::fs::remove_file(filler).map_err(|e| format!("failed to make room: {e}"))?;
        if round.blow == Blow::DiskFullKilled {
            self.lab.launch()?;
        }
        full.ok_or_else(|| format!("on a full disk the daemon wrote {WRITES_MAX} times"))
    }

    /// Asks something in the chat that was not asked before; when it was answered. After a full disk also a wish, which has
    /// to be written down.
    pub(crate) fn ask_afresh(&mut self) -> Step<i64> {
        self.probes += 1;
        let (at, number) = (self.lab.now(), 900_000 + self.probes);
        let prober = PROBERS[usize::try_from(self.probes).unwrap_or(0) % PROBERS.len()];
        self.lab.say(prober, &format!("/status {number}"))?;
        let writes = self.lab.disk.is_some();
        let key = format!("afresh-{number}");
        let answered = self.lab.until("an answer to a fresh question", |lab| {
            lab.chat.look();
            let said = lab.chat.answers.iter().any(|(_, text)| text.contains(&format!("no task {number}")));
            let wrote = || {
                let answer = lab.once(&key, &["stop", &number.to_string()]).ok()?;
                (!answer["text"].as_str()?.contains("the daemon can't")).then_some(())
            };
            (said && (!writes || wrote().is_some())).then(|| lab.now())
        });
        self.wishes.answered(prober, "status", at, answered.as_ref().ok().copied(), None);
        answered
    }

    /// Nothing more is struck at: everything comes to its end.
    pub(crate) fn settle(&mut self) -> Step {
        let rest = |play: &mut Self| play.wishes.open.iter().all(|open| open.stage == Stage::Rest);
        self.carry_on("the end of what people do", rest).map_err(|why| {
            let left = self.wishes.open.iter().filter(|open| open.stage != Stage::Rest);
            format!("{why}: {}", left.map(Open::shown).collect::<Vec<_>>().join(", "))
        })?;
        let tasks: Vec<i64> = self.wishes.open.iter().filter_map(|open| open.wish.task).collect();
        self.lab.until("the end of all tasks", |lab| {
            tasks.iter().all(|task| said(lab, *task).is_some_and(|said| said.is_over())).then_some(())
        })?;
        // Cards are shown last, and nothing is asked of them: it is enough that every report is there and on record.
        self.lab.until("the reports of all tasks", |lab| {
            lab.chat.look();
            let told = |task: &i64| lab.chat.told.iter().any(|told| told.task == *task);
            let complete = |task: &i64| said(lab, *task).is_some_and(|said| said.complete);
            let nothing_to_send = || {
                let ops = lab.once(&fresh(lab), &["ops"]).ok()?;
                (ops["data"]["outbox"]["pending"] == 0).then_some(())
            };
            let all = tasks.iter().all(told) && tasks.iter().all(complete);
            if all { Some(()) } else { nothing_to_send() }
        })
    }

    /// Looks at everything that is there, and ends the daemon.
    fn look(&mut self) -> Step {
        self.look_at_record()?;
        let status = self.lab.end()?;
        self.evidence.ended.push(status.code());
        self.evidence.book = self.lab.book();
        Ok(())
    }

    /// Looks at everything that is there while a daemon runs, but for the workers' book.
    pub(crate) fn look_at_record(&mut self) -> Step {
        self.lab.chat.look();
        self.evidence.told.clone_from(&self.lab.chat.told);
        let mut task = 1;
        while let Some(said) = said(&self.lab, task) {
            self.evidence.record.insert(task, said);
            task += 1;
        }
        let output = self.lab.run(&["verify-log"])?;
        let spoken = [output.stdout, output.stderr].concat();
        self.evidence.unsound = (!output.status.success()).then(|| String::from_utf8_lossy(&spoken).trim().to_owned());
        let all_over = self.evidence.record.values().all(Said::is_over);
        if all_over {
            self.evidence.left = left(&self.lab);
        }
        Ok(())
    }
}

/// What is left of tasks that have all ended, once it has had time to go.
fn left(lab: &Lab<'_>) -> Vec<String> {
    let find = || crate::stage::of_tasks(lab.place.dir());
    let gone = wait(|| find().is_empty().then_some(()));
    if gone.is_some() { Vec::new() } else { find().into_iter().map(|(pid, what)| format!("{what} {pid}")).collect() }
}

fn wait<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let seen = look();
        if seen.is_some() || start.elapsed() > SETTLED_WITHIN {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn fresh(lab: &Lab<'_>) -> String {
    format!("look-{}", lab.now())
}

/// What the daemon says of a task.
pub(crate) fn said(lab: &Lab<'_>, task: i64) -> Option<Said> {
    let ask = |verb: &str| {
        let answer = lab.once(&format!("{}-{verb}-{task}", fresh(lab)), &[verb, &task.to_string()]).ok()?;
        (answer["ok"] == true).then(|| answer["data"].clone())
    };
    let (status, trace) = (ask("status")?, ask("trace")?);
    let text = |name: &str| status[name].as_str().map(str::to_owned);
    Some(Said {
        kind: text("kind")?,
        prompt: text("prompt")?,
        state: text("state")?,
        outcome: text("outcome"),
        exit_code: status["exit_code"].as_i64(),
        attempt: u32::try_from(status["attempt"].as_i64()?).ok()?,
        complete: trace["complete"] == true,
        ended: ended(&trace["events"]),
    })
}

/// The attempts whose end is in a trace.
fn ended(events: &Value) -> BTreeSet<u32> {
    let events = events.as_array().into_iter().flatten();
    let attempts = events.filter(|event| event["kind"] == "ended").filter_map(|event| event["attempt"].as_u64());
    attempts.filter_map(|n| u32::try_from(n).ok()).collect()
}
