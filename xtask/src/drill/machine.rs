//! A machine with releases: a folder of them, a supervisor that starts what is current, a chat with people in it, and a look at
//! everything from outside.

use super::goods::Goods;
use super::supervisor::Supervisor;
use crate::kill::chance::Plan;
use crate::kill::lab::{Lab, PATIENCE, PROBERS, Step};
use crate::kill::play::Play;
use crate::kill::wishes::Wishes;
use crate::stage::{Place, Setting};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// What is played on: the people, kinds and workers of the suite `kill`.
pub(super) const SETTING: Setting = Setting { name: "drill", ..crate::kill::lab::SETTING };
/// Somebody asks something in the chat so often.
const ASKED_EVERY: Duration = Duration::from_millis(600);
/// Questions that wait for an answer: who gets none asks no more. Telegram takes one message a second to a chat, so what piled
/// up in a long silence would be answered for as long again, and the round trip with it.
const OPEN_MAX: usize = 2 * PROBERS.len();
/// Who hangs is waited for so long on the socket, and asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// A command of a drill has ended within this.
const COMMAND_WITHIN: Duration = Duration::from_secs(150);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(2);
/// What an outage lasts that is not over yet, ms: longer than all runs.
const NOT_OVER: i64 = i64::MAX / 2;

/// The release that is there first, and the one that is switched to.
pub(super) const A: &str = "0.1.0-aaaaaaaaaaaa";
pub(super) const B: &str = "0.1.0-bbbbbbbbbbbb";

/// A question in the chat that waits for its answer.
struct Asked {
    who: &'static str,
    number: i64,
    at: i64,
}

/// The machine.
pub(super) struct Machine<'a> {
    pub(super) play: Play<'a>,
    goods: &'a Goods,
    supervisor: Supervisor,
    asked: Vec<Asked>,
    asked_last: Instant,
    /// Questions asked so far.
    questions: i64,
    /// Answers that came to them.
    pub(super) answers: u32,
    /// Where `current` led when it was looked at last, and when that was.
    led_to: (Option<String>, i64),
    /// When it was last seen leading elsewhere, before it led to the release that was switched to.
    pub(super) flipped: Option<i64>,
    /// When it led back.
    pub(super) led_back: Option<i64>,
    /// What happened, for the report.
    pub(super) moments: Vec<(String, i64)>,
}

impl<'a> Machine<'a> {
    /// With nothing on it yet.
    pub(super) fn set(goods: &'a Goods, place: &'a Place, seed: u64) -> Step<Machine<'a>> {
        let mut lab = Lab::around(&goods.programs, place)?;
        lab.answer_within = ANSWER_WITHIN;
        let supervisor = Supervisor::set(goods.supervisor, place.dir())?;
        Ok(Machine {
            play: Play::new(lab, Wishes::new("drill", seed)),
            goods,
            supervisor,
            asked: Vec::new(),
            asked_last: Instant::now(),
            questions: 0,
            answers: 0,
            led_to: (None, 0),
            flipped: None,
            led_back: None,
            moments: Vec::new(),
        })
    }

    /// What its releases are made of.
    pub(super) fn goods(&self) -> &'a Goods {
        self.goods
    }

    /// Something in its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.play.lab.place.path(name)
    }

    pub(super) fn now(&self) -> i64 {
        self.play.lab.now()
    }

    /// Something happened, for the report.
    pub(super) fn moment(&mut self, what: &str) {
        let now = self.now();
        self.moments.push((what.to_owned(), now));
    }

    // Releases.

    /// Makes a release and puts it in place.
    pub(super) fn stage(&mut self, id: &str, script: Option<&str>) -> Step {
        let folder = self.path(&format!("made-{id}"));
        self.goods.release(&folder, id, script).map_err(|e| format!("failed to make a release: {e}"))?;
        let child = self.begin(&["stage", &folder.to_string_lossy()])?;
        let code = self.wait_for(child)?;
        fs::remove_dir_all(&folder).map_err(|e| format!("failed to clear a folder: {e}"))?;
        if code == Some(0) { Ok(()) } else { Err(format!("{id} was not staged: {}", self.said())) }
    }

    /// The first release is current, and no command has put it there.
    pub(super) fn put_in_place(&mut self) -> Step {
        let folder = self.path("opt/releases").join(A);
        let put = || {
            self.goods.release(&folder, A, None)?;
            std::os::unix::fs::symlink(Path::new("releases").join(A), self.path("opt/current"))
        };
        put().map_err(|e| format!("failed to put a release in place: {e}"))
    }

    /// `mainstay release ...`, begun. What it says is in [`Machine::said`].
    pub(super) fn begin(&self, args: &[&str]) -> Step<Child> {
        let failed = |e: std::io::Error| format!("failed to start mainstay release: {e}");
        let log = File::create(self.path("release.log")).map_err(failed)?;
        let root = self.path("opt").display().to_string();
        let mut command = self.play.lab.command(&[&["release", "--root", &root], args].concat());
        if matches!(args.first(), Some(&"activate" | &"rollback")) {
            command.args(["--supervisor", &self.supervisor.argument()]);
        }
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        command.spawn().map_err(failed)
    }

    /// What the newest command has said.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(self.path("release.log")).unwrap_or_default();
        text.trim().replace('\n', "; ")
    }

    /// Goes on with everything until the command has ended; its exit code.
    pub(super) fn wait_for(&mut self, child: Child) -> Step<Option<i32>> {
        self.wait_with(child, |_| Ok(()))
    }

    /// The same, and looks at something each time.
    pub(super) fn wait_with(&mut self, mut child: Child, mut look: impl FnMut(&mut Self) -> Step) -> Step<Option<i32>> {
        let began = Instant::now();
        loop {
            let ended = child.try_wait().map_err(|e| format!("failed to look at a command: {e}"))?;
            self.go_on()?;
            if let Some(status) = ended {
                return Ok(status.code());
            }
            if began.elapsed() > COMMAND_WITHIN {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("a command had not ended after {} s: {}", COMMAND_WITHIN.as_secs(), self.said()));
            }
            look(self)?;
            std::thread::sleep(GLANCE);
        }
    }

    /// Where `current` leads now.
    pub(super) fn current(&self) -> Option<String> {
        self.leads("opt/current")
    }

    /// The release that a start of the machine would have end the switch under way.
    pub(super) fn finisher(&self) -> Option<String> {
        self.leads("opt/finisher")
    }

    fn leads(&self, link: &str) -> Option<String> {
        let leads = fs::read_link(self.path(link)).ok()?;
        Some(leads.file_name()?.to_str()?.to_owned())
    }

    /// The step of the switch under way, as it is written down.
    pub(super) fn step(&self) -> Option<String> {
        let state: Value = serde_json::from_slice(&fs::read(self.path("opt/state.json")).ok()?).ok()?;
        state["switch"]["step"].as_str().map(str::to_owned)
    }

    /// What lies in the releases' folder and has no business there.
    pub(super) fn left(&self) -> Vec<String> {
        let names = |path: &Path| -> Vec<String> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let expected = [("opt", ["current", "lock", "releases", "state.json"].as_slice()), ("opt/releases", &[A, B])];
        let left = |(folder, expected): (&str, &[&str])| {
            let others = names(&self.path(folder)).into_iter().filter(|name| !expected.contains(&name.as_str()));
            others.map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        expected.into_iter().flat_map(left).collect()
    }

    // The daemon.

    /// Its process, as the supervisor knows it.
    pub(super) fn daemon(&self) -> Option<Pid> {
        self.supervisor.daemon()
    }

    /// The release whose program that process runs: by the kernel's word, not by its own.
    pub(super) fn runs(&self) -> Option<String> {
        // By the file: a daemon that is closed in sees other mounts, and by those its path is another one.
        let file = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        let program = file(format!("/proc/{}/exe", self.daemon()?.as_raw_nonzero()).as_ref())?;
        let programs = |id: &str| fs::read_dir(self.path("opt/releases").join(id).join("bin")).into_iter().flatten();
        let runs = |id: &&str| programs(id).flatten().any(|entry| file(&entry.path()) == Some(program));
        [A, B].into_iter().find(runs).map(str::to_owned)
    }

    /// Ends it with this signal, and keeps it from being started again.
    pub(super) fn down(&mut self, signal: Signal) -> Step {
        self.supervisor.pause()?;
        self.outage_from(self.now());
        let pid = self.daemon().ok_or("there is no daemon to end")?;
        kill_process(pid, signal).map_err(|e| format!("failed to end the daemon: {e}"))?;
        self.until("the daemon's end", |machine| machine.daemon().is_none())
    }

    /// Has it started, and waits until somebody was answered.
    pub(super) fn up(&mut self) -> Step {
        self.supervisor.go()?;
        self.round_trip().map(drop)
    }

    /// `kill -9`.
    pub(super) fn kill(pid: Option<Pid>) {
        // Who has ended by itself needs none.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
    }

    // People.

    /// Somebody wants something; its place among the wishes.
    pub(super) fn wish(&mut self, plan: Plan) -> usize {
        self.play.wishes.add(plan)
    }

    /// Everybody goes a step further, and what can be seen is looked at.
    pub(super) fn go_on(&mut self) -> Step {
        self.see_current();
        self.play.wishes.tend(&mut self.play.lab)?;
        self.hear();
        if self.asked_last.elapsed() > ASKED_EVERY && self.asked.len() < OPEN_MAX {
            self.ask()?;
        }
        Ok(())
    }

    /// Goes on until something is so.
    pub(super) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) -> Step {
        let began = Instant::now();
        while !is_so(self) {
            if began.elapsed() > PATIENCE {
                return Err(format!("{what} did not come within {} s", PATIENCE.as_secs()));
            }
            self.go_on()?;
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn see_current(&mut self) {
        let (current, now) = (self.current(), self.now());
        if current != self.led_to.0 {
            match current.as_deref() {
                // Not later than it was: else the way back would seem shorter.
                Some(B) if self.flipped.is_none() => {
                    self.flipped = Some(self.led_to.1);
                    self.outage_from(self.led_to.1);
                }
                Some(A) if self.flipped.is_some() => self.led_back = self.led_back.or(Some(now)),
                Some(_) | None => {}
            }
            if let Some(id) = &current {
                self.moments.push((format!("current is {}", if id == A { "the old" } else { "the new" }), now));
            }
        }
        self.led_to = (current, now);
    }

    /// From now on people are not answered in time, and need not be.
    pub(super) fn outage_from(&mut self, at: i64) {
        self.play.wishes.outages.push((at, NOT_OVER));
    }

    /// They have to be again.
    fn outage_over(&mut self, at: i64) {
        self.play.wishes.outages.iter_mut().filter(|(_, to)| *to == NOT_OVER).for_each(|(_, to)| *to = at);
    }

    /// Somebody asks something in the chat that was not asked before; its number.
    fn ask(&mut self) -> Step<i64> {
        self.questions += 1;
        self.asked_last = Instant::now();
        let number = 800_000 + self.questions;
        let who = PROBERS[usize::try_from(self.questions).unwrap_or(0) % PROBERS.len()];
        let at = self.now();
        self.play.lab.say(who, &format!("/status {number}"))?;
        self.asked.push(Asked { who, number, at });
        Ok(number)
    }

    fn hear(&mut self) {
        let now = self.now();
        let chat = &self.play.lab.chat;
        let is_answered =
            |asked: &Asked| chat.answers.iter().any(|(_, text)| text.contains(&format!("no task {}", asked.number)));
        let (answered, open): (Vec<Asked>, Vec<Asked>) =
            std::mem::take(&mut self.asked).into_iter().partition(is_answered);
        self.asked = open;
        for Asked { who, at, .. } in answered {
            self.answers += 1;
            self.play.wishes.answered(who, "status", at, Some(now), None);
        }
    }

    /// A question in the chat, asked now, is answered; when.
    pub(super) fn round_trip(&mut self) -> Step<i64> {
        let number = self.ask()?;
        self.until("a round trip in the chat", |machine| machine.asked.iter().all(|asked| asked.number != number))?;
        let now = self.now();
        self.outage_over(now);
        self.moment("round trip");
        Ok(now)
    }

    /// All questions are answered, or will not be.
    pub(super) fn hear_out(&mut self) -> Step {
        let heard = self.until("an answer to every question", |machine| {
            // Nobody asks more.
            machine.asked_last = Instant::now();
            machine.asked.is_empty()
        });
        for Asked { who, at, .. } in std::mem::take(&mut self.asked) {
            self.play.wishes.answered(who, "status", at, None, Some("never answered".into()));
        }
        heard
    }

    /// So many messages in each chat told that the new release failed.
    pub(super) fn alerts(&self) -> Vec<(i64, String)> {
        let failed = format!("{B} failed (");
        self.play.lab.chat.answers.iter().filter(|(_, text)| text.contains(&failed)).cloned().collect()
    }

    // Its end.

    /// The supervisor ends the daemon and itself; the daemon's exit code.
    pub(super) fn stop(&mut self) -> Step<Option<i32>> {
        self.supervisor.stop()
    }

    /// Ends what still runs, whatever it is; what was seen stays.
    pub(super) fn clear(self) -> (Wishes, crate::kill::evidence::Evidence) {
        let Machine { play: Play { lab, wishes, evidence, .. }, supervisor, .. } = self;
        drop(supervisor);
        lab.clear();
        (wishes, evidence)
    }
}
