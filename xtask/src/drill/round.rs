//! A round: a machine with a good release, people who want things, a switch to another release, and a look at what became of it.

use super::goods::Goods;
use super::machine::{A, B, Machine, SETTING};
use super::modes::{Bad, Ends, Flow, Mode, Variant};
use super::seen::{Seen, Span};
use super::supervisor::By;
use super::{killed, schemas};
use crate::Verdict;
use crate::kill::chance::{Chance, Kind, Plan, Via};
use crate::kill::evidence::Word;
use crate::kill::lab::{PATIENCE, Step, WISHERS};
use crate::kill::wishes::Stage;
use crate::stage::Place;
use rustix::process::Pid;
use std::fs;
use std::time::{Duration, Instant};

/// Of so many rounds one has the product's own limits on readiness and answers; the others wait less for what never comes.
const ONE_WITH_USUAL_LIMITS: u64 = 4;
/// Lines of the daemon's log that are told where a round did not come to its end.
const LAST_WORDS: usize = 5;
/// Limits of the others.
const READY: &str = "4s";
const ANSWER: &str = "1500ms";
/// A release that does nothing wrong is watched for so long.
pub(super) const SOAK: &str = "1s";
/// What workers wait for that run over the switch.
const GO: &str = "go";
/// What a switch says when the release that it leads to has answered.
const WORDS_OF_READINESS: &str = "it answers as";

/// What is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) mode: &'static Mode,
    /// Of everything that is drawn.
    pub(crate) seed: u64,
    /// Which round of its mode this is: variants, steps and schemas are taken in turn.
    pub(crate) nth: u64,
    /// The folder stays.
    pub(crate) keep: bool,
}

/// Plays it. An error is the machine's.
pub(crate) fn play(goods: &Goods, wanted: Wanted) -> Result<Seen, String> {
    let place = Place::make(SETTING, wanted.keep).map_err(|e| format!("failed to make a folder: {e}"))?;
    let seen = play_in(goods, &place, wanted);
    let log = place.log_tail(LAST_WORDS);
    let cleared = place.clear(Verdict::Good);
    let mut seen = seen.map_err(|e| format!("{e}\n{log}"))?;
    if cleared != Verdict::Good {
        seen.cut_off.get_or_insert("its folder could not be cleared".into());
    }
    if let Some(why) = &mut seen.cut_off {
        *why = format!("{why}; the daemon's last words: {log}");
    }
    Ok(seen)
}

fn play_in(goods: &Goods, place: &Place, wanted: Wanted) -> Result<Seen, String> {
    let mut machine = Machine::set(goods, place, wanted.seed)?;
    let n = usize::try_from(wanted.nth).unwrap_or(0) % wanted.mode.variants.len();
    let variant = wanted.mode.variants[n];
    let mut round = Round {
        variant,
        nth: wanted.nth,
        chance: Chance::new(wanted.seed),
        seen: seen(wanted, variant, goods.supervisor),
    };
    let played = round.play(&mut machine);
    let Round { mut seen, .. } = round;
    // Whatever went wrong, what is there is looked at.
    seen.at_ms = machine.now();
    seen.moments = std::mem::take(&mut machine.moments);
    let (wishes, mut evidence) = machine.clear();
    wishes.give(&mut evidence);
    seen.evidence = evidence;
    seen.cut_off = played.err();
    Ok(seen)
}

fn seen(wanted: Wanted, variant: Variant, supervisor: By) -> Seen {
    Seen {
        mode: wanted.mode,
        variant,
        seed: wanted.seed,
        nth: wanted.nth,
        supervisor,
        done: variant.name.to_owned(),
        ends: variant.ends.to_vec(),
        code: None,
        said: String::new(),
        current: None,
        runs: None,
        alerts: Vec::new(),
        spans: Vec::new(),
        let_go: i64::MAX,
        left: Vec::new(),
        began: None,
        led_back: None,
        back: None,
        schemas: Vec::new(),
        moments: Vec::new(),
        evidence: crate::kill::evidence::Evidence::default(),
        at_ms: 0,
        cut_off: None,
    }
}

/// A round under way.
pub(super) struct Round {
    pub(super) variant: Variant,
    pub(super) nth: u64,
    pub(super) chance: Chance,
    pub(super) seen: Seen,
}

impl Round {
    fn play(&mut self, machine: &mut Machine<'_>) -> Step {
        match self.variant.flow {
            Flow::Schemas => schemas::play(self, machine)?,
            Flow::Activate | Flow::RollBack | Flow::KilledForward | Flow::KilledBack => self.switch(machine)?,
        }
        self.look(machine)
    }

    fn switch(&mut self, machine: &mut Machine<'_>) -> Step {
        install(machine)?;
        machine.stage(B, script(self.variant.bad, machine).as_deref())?;
        let held = self.ask_for_tasks(machine)?;
        machine.moment("begin");
        let code = match self.variant.flow {
            Flow::Activate => self.activate(machine)?,
            Flow::RollBack => self.roll_back(machine)?,
            Flow::KilledForward => killed::forward(self, machine)?,
            Flow::KilledBack => killed::back(self, machine)?,
            Flow::Schemas => unreachable!("it has no switch"),
        };
        self.seen.code = code;
        self.seen.said = machine.said();
        machine.moment("end");
        let back = machine
            .round_trip()
            .map_err(|why| format!("{why} after the command had ended with {code:?}: {}", self.seen.said))?;
        self.seen.back = self.seen.began.map(|_| back);
        self.seen.led_back = machine.led_back;
        (self.seen.current, self.seen.runs) = (machine.current(), machine.runs());
        self.see_spans();
        self.let_go(machine, &held)
    }

    /// Whether what ran before runs now.
    pub(super) fn see_spans(&mut self) {
        self.seen.spans.iter_mut().for_each(|span| span.lived = lives(span.pid));
    }

    /// Switches to the other release; the exit code.
    fn activate(&mut self, machine: &mut Machine<'_>) -> Step<Option<i32>> {
        let config = machine.path("mainstay.toml");
        let good = fs::read_to_string(&config).map_err(|e| format!("failed to read the configuration: {e}"))?;
        match self.variant.bad {
            Bad::Config(bad) => write(&config, &format!("{bad}\n{good}"))?,
            Bad::Migration => schemas::mark(machine, &schemas::one_less(machine)?)?,
            Bad::Nothing | Bad::Run(..) | Bad::Poison(..) => {}
        }
        let usual = self.chance.below(ONE_WITH_USUAL_LIMITS) == 0;
        let mut args = vec!["activate", B];
        match self.variant.bad {
            Bad::Nothing => args.extend(["--soak", SOAK]),
            // What fails is left before that; what does not is not bad, and shows by taking so long.
            Bad::Run(..) | Bad::Poison(..) | Bad::Config(_) | Bad::Migration => args.extend(["--soak", "2m"]),
        }
        if !usual && self.variant.bad != Bad::Nothing {
            args.extend(["--ready", READY, "--answer", ANSWER]);
            self.seen.done += ", with short limits";
        }
        let child = machine.begin(&args)?;
        let mut more = 3;
        let mut poison = Poisoning::of(self.variant.bad);
        let code = machine.wait_with(child, |machine| {
            self.ask_for_more(machine, &mut more);
            poison.look(machine)
        })?;
        match self.variant.bad {
            Bad::Config(_) => write(&config, &good)?,
            Bad::Migration => schemas::mark(machine, &schemas::as_it_is(machine)?)?,
            Bad::Nothing | Bad::Run(..) | Bad::Poison(..) => {}
        }
        if self.variant.ends.iter().any(|end| end.is_told()) {
            // Where it worked first, from when it failed.
            self.seen.began = poison.at.or(machine.flipped);
        }
        Ok(code)
    }

    fn roll_back(&mut self, machine: &mut Machine<'_>) -> Step<Option<i32>> {
        let code = self.activate(machine)?;
        if code != Some(0) {
            return Err(format!("a good release was not blessed ({code:?}): {}", machine.said()));
        }
        machine.round_trip()?;
        self.seen.began = Some(machine.now());
        machine.moment("rollback");
        machine.outage_from(machine.now());
        let child = machine.begin(&["rollback"])?;
        let mut more = 2;
        machine.wait_with(child, |machine| {
            self.ask_for_more(machine, &mut more);
            Ok(())
        })
    }

    /// Tasks that run over the switch, and some that wait meanwhile for somebody to go on: their places.
    pub(super) fn ask_for_tasks(&mut self, machine: &mut Machine<'_>) -> Step<Vec<usize>> {
        let until = |via| Plan { kind: Kind::Once, via, does: format!("until {GO} 0"), code: 0 };
        let running = [until(Via::Chat(WISHERS[0])), until(Via::Socket)].map(|plan| machine.wish(plan));
        let waiting = [(Via::Chat(WISHERS[1]), Stage::Known), (Via::Socket, Stage::Approved)].map(|(via, stage)| {
            let n = machine.wish(Plan { kind: Kind::Once, via, does: "for 0.010 0".into(), code: 0 });
            machine.play.wishes.open[n].held_at = Some(stage);
            (n, stage)
        });
        machine.until("tasks that run and tasks that wait", |machine| {
            let book = machine.play.lab.book();
            let open = &machine.play.wishes.open;
            let runs = |n: &usize| book.iter().any(|entry| Some(entry.key.0) == open[*n].wish.task);
            running.iter().all(runs) && waiting.iter().all(|(n, stage)| open[*n].stage == *stage)
        })?;
        let book = machine.play.lab.book();
        self.seen.spans = running
            .iter()
            .filter_map(|n| {
                let task = machine.play.wishes.open[*n].wish.task?;
                let entry = book.iter().find(|entry| entry.key.0 == task && entry.word == Word::Begin)?;
                Some(Span { task, pid: entry.pid, lived: false })
            })
            .collect();
        Ok(waiting.map(|(n, _)| n).to_vec())
    }

    /// Now and then somebody wants something while the switch is under way.
    pub(super) fn ask_for_more(&mut self, machine: &mut Machine<'_>, left: &mut u32) {
        // Some looks apart, so that they come at different steps.
        if *left == 0 || self.chance.below(60) != 0 {
            return;
        }
        *left -= 1;
        let kinds = [Kind::Once, Kind::Again, Kind::Light, Kind::Flaky];
        let kind = kinds[usize::try_from(self.chance.below(4)).unwrap_or(0)];
        // The command line reads the configuration too.
        let is_readable = !matches!(self.variant.bad, Bad::Config(_));
        let via = match self.chance.below(3) {
            0 if is_readable => Via::Process,
            0 | 1 => Via::Socket,
            _ => Via::Chat(WISHERS[2 + usize::try_from(self.chance.below(3)).unwrap_or(0)]),
        };
        let how = if kind == Kind::Flaky { "flaky" } else { "for" };
        machine.wish(Plan { kind, via, does: format!("{how} 0.{:03} 0", self.chance.below(200)), code: 0 });
    }

    /// What ran over the switch may end, and what was held back goes on.
    pub(super) fn let_go(&mut self, machine: &mut Machine<'_>, held: &[usize]) -> Step {
        self.seen.let_go = machine.now();
        write(&machine.path(GO), "")?;
        held.iter().for_each(|n| machine.play.wishes.open[*n].held_at = None);
        Ok(())
    }

    /// Everything comes to its end, and is looked at.
    fn look(&mut self, machine: &mut Machine<'_>) -> Step {
        machine.hear_out()?;
        machine.play.settle()?;
        if self.seen.end().is_some_and(Ends::is_told) {
            let began = Instant::now();
            // Whether it came is judged later.
            while machine.alerts().is_empty() && began.elapsed() < PATIENCE {
                machine.play.lab.chat.look();
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        machine.play.look_at_record()?;
        self.seen.alerts = machine.alerts();
        self.seen.left = machine.left();
        let code = machine.stop()?;
        machine.play.evidence.ended.push(code);
        machine.play.evidence.book = machine.play.lab.book();
        Ok(())
    }
}

/// Puts the first release in place, and has it blessed.
fn install(machine: &mut Machine<'_>) -> Step {
    machine.stage(A, None)?;
    let child = machine.begin(&["activate", A, "--soak", "0s"])?;
    let code = machine.wait_for(child)?;
    if code != Some(0) {
        return Err(format!("the first release was not blessed ({code:?}): {}", machine.said()));
    }
    machine.round_trip().map(drop)
}

/// What stands in front of a bad release's program.
fn script(bad: Bad, machine: &Machine<'_>) -> Option<String> {
    let front = "#!/bin/sh\nhere=${0%/*}\n";
    let real = "exec \"$here/mainstay-real\" \"$@\"\n";
    match bad {
        Bad::Nothing | Bad::Config(_) | Bad::Migration => None,
        Bad::Run(pattern, does) => Some(format!("{front}case \"$*\" in\n {pattern}) {does} ;;\nesac\n{real}")),
        Bad::Poison(signal, _) => {
            let poison = machine.path("poison").display().to_string();
            let wait = format!(
                "(until [ -e {poison} ]; do kill -0 $$ 2> /dev/null || exit; sleep 0.02; done; kill -{signal} $$) &"
            );
            Some(format!("{front}case \"$*\" in\n *' run'*) {wait} ;;\nesac\n{real}"))
        }
    }
}

/// Waits for the moment to make a release fail that works.
struct Poisoning {
    /// After so many answers in the chat; none: it is not that kind of release.
    after: Option<u32>,
    /// Answers in the chat when the switch had seen it answer.
    ready: Option<u32>,
    /// When it was made to fail, ms.
    at: Option<i64>,
}

impl Poisoning {
    fn of(bad: Bad) -> Poisoning {
        let after = match bad {
            Bad::Poison(_, after) => Some(after),
            Bad::Nothing | Bad::Run(..) | Bad::Config(_) | Bad::Migration => None,
        };
        Poisoning { after, ready: None, at: None }
    }

    fn look(&mut self, machine: &mut Machine<'_>) -> Step {
        let Some(after) = self.after.filter(|_| self.at.is_none()) else { return Ok(()) };
        if self.ready.is_none() && machine.said().contains(WORDS_OF_READINESS) {
            self.ready = Some(machine.answers);
        }
        if self.ready.is_some_and(|ready| machine.answers >= ready + after) {
            self.at = Some(machine.now());
            machine.moment("it fails");
            write(&machine.path("poison"), "")?;
        }
        Ok(())
    }
}

/// Whether a process lives.
fn lives(pid: i32) -> bool {
    Pid::from_raw(pid).is_some() && {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }
}

fn write(path: &std::path::Path, text: &str) -> Step {
    fs::write(path, text).map_err(|e| format!("failed to write {}: {e}", path.display()))
}
