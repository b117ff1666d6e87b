//! What the demo and the smoke test are played on: the real daemon and a Bot API server in a folder of their own, as processes.
//!
//! [`place`] is the folder, [`world`] the processes, [`heard`] what the chat showed, [`sweep`] sees to it that nothing is left.
//! [`Stage`] has the words a script is made of. What it does not have: knowledge of the daemon beyond its command line, files
//! and chat.

mod build;
mod heard;
mod place;
mod sweep;
mod world;

pub(crate) use build::{Profile, Programs, build};
pub(crate) use heard::{Heard, bot_text, button, is_new};
pub(crate) use place::{Place, Setting, TOKEN};
pub(crate) use sweep::{of_tasks, shims, wait_and_clear};
pub(crate) use world::{BotApi, Daemon};

use rustix::process::Pid;
use serde_json::Value;
use std::time::{Duration, Instant};
use sweep::Part;
use world::wait;

/// What is off, in words that read after "off: ".
pub(crate) type Step<T = ()> = Result<T, String>;

/// The Bot API server, the daemon and what is heard of both: what a script is played on.
pub(crate) struct Stage<'a> {
    /// The folder it happens in.
    pub(crate) place: &'a Place,
    start: Instant,
    /// Any single thing is waited for so long.
    limit: Duration,
    /// Whoever looks on is told what is done and said.
    told: bool,
    chat: BotApi,
    /// What the chat shows.
    pub(crate) heard: Heard,
    /// The daemon, and its command line.
    pub(crate) daemon: Daemon,
}

impl<'a> Stage<'a> {
    /// Starts all of it. With `told` it prints what is said and happens.
    pub(crate) fn set(programs: &Programs, place: &'a Place, limit: Duration, told: bool) -> Step<Stage<'a>> {
        let start = Instant::now();
        let (chat, output) = BotApi::start(programs, place, true)?;
        let heard = Heard::listen(output.ok_or("the Bot API server has no output")?, told);
        let daemon = Daemon::start(programs, place, move |news| {
            if told {
                tell!("  -- {news}");
            }
        })?;
        Ok(Stage { place, start, limit, told, chat, heard, daemon })
    }

    /// Ends all of it.
    pub(crate) fn clear(self) {
        drop(self.daemon);
        self.chat.end();
        self.heard.end();
    }

    // What a step is made of.

    /// Begins a scene.
    pub(crate) fn title(&self, text: &str) {
        self.tell(&format!("\n[{:>3} s] {text}", self.start.elapsed().as_secs()));
    }

    /// For whoever looks on.
    pub(crate) fn tell(&self, text: &str) {
        if self.told {
            tell!("{text}");
        }
    }

    /// Types a line: something to say, or a command of the chat's own.
    pub(crate) fn say(&mut self, line: &str) -> Step {
        if line.starts_with(':') {
            self.tell(&format!("  > {line}"));
        }
        if self.chat.line(line) { Ok(()) } else { Err("the chat has ended".into()) }
    }

    /// Presses a button of a card, as often as somebody impatient would.
    pub(crate) fn press(&mut self, card: &Value, label: &str, times: usize) -> Step {
        let number = button(card, label).ok_or_else(|| format!("there is no button {label} on {card}"))?;
        let lines = vec![format!(":press {number}"); times];
        lines.iter().for_each(|line| self.tell(&format!("  > {line}")));
        if self.chat.line(&lines.join("\n")) { Ok(()) } else { Err("the chat has ended".into()) }
    }

    /// The newest state of the card that begins like this, as soon as there is one.
    pub(crate) fn card(&self, beginning: &str) -> Step<Value> {
        self.card_in(None, beginning)
    }

    /// The same in a certain chat, where several have one.
    pub(crate) fn card_in(&self, chat: Option<i64>, beginning: &str) -> Step<Value> {
        let is_it = |event: &&Value| {
            chat.is_none_or(|chat| event["chat"] == chat) && bot_text(event).is_some_and(|t| t.starts_with(beginning))
        };
        let newest = |events: &[Value]| events.iter().rev().find(is_it).cloned();
        self.heard.wait(0, self.limit, newest).ok_or_else(|| self.unheard(&format!("a card that says {beginning:?}")))
    }

    /// Waits for something in the chat.
    pub(crate) fn until(&self, what: &str, from: usize, is_it: impl Fn(&Value) -> bool) -> Step {
        let found = self.heard.wait(from, self.limit, |events| events.iter().any(&is_it).then_some(()));
        found.ok_or_else(|| self.unheard(what))
    }

    fn unheard(&self, what: &str) -> String {
        if self.heard.ended() { format!("the chat ended before {what} came") } else { self.missing(what) }
    }

    fn missing(&self, what: &str) -> String {
        format!("{what} did not come within {} s", self.limit.as_secs())
    }

    /// Waits for something that only looking shows.
    pub(crate) fn eventually<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> Step<T> {
        wait(self.limit, look).ok_or_else(|| self.missing(what))
    }

    /// A task, as programs are told of it.
    pub(crate) fn status(&self, task: i64) -> Step<Value> {
        self.daemon.cli_json(&["status", &task.to_string()])
    }

    /// Health, as programs are told of it.
    pub(crate) fn ops(&self) -> Step<Value> {
        self.daemon.cli_json(&["ops"])
    }

    /// The reasons, if `ops` says this of the whole.
    pub(crate) fn health(&self, status: &str) -> Option<String> {
        let ops = self.ops().ok()?;
        (ops["status"] == status).then(|| format!("{status} {}", ops["reasons"]))
    }

    /// The pid that a task's main process wrote into the ledger.
    pub(crate) fn worker(&self, task: i64) -> Step<String> {
        let start = format!("start task={task} attempt=1 pid=");
        self.eventually(&format!("the ledger's line of #{task}"), || {
            self.place.ledger().iter().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        })
    }

    /// Whether the ledger shows exactly these attempts of a task.
    pub(crate) fn ran(&self, task: i64, attempts: &[u32]) -> Step {
        let ledger = self.place.ledger();
        for (word, what) in [("start", "started"), ("end", "ended")] {
            let of_task = format!("{word} task={task} attempt=");
            let numbers: Vec<&str> =
                ledger.iter().filter_map(|l| l.strip_prefix(&of_task)?.split(' ').next()).collect();
            let expected: Vec<String> = attempts.iter().map(u32::to_string).collect();
            check(numbers == expected, || {
                format!("#{task} {what} as attempts {numbers:?} by its own ledger, not {expected:?}")
            })?;
        }
        let times = if attempts.len() == 1 { "once" } else { "twice, as it may" };
        self.tell(&format!("  -- by its own ledger #{task} ran {times}"));
        Ok(())
    }

    /// Waits for an event of this kind on a task's record.
    pub(crate) fn event(&self, what: &str, task: i64, kind: &str) -> Step {
        let argv = ["logs", "--task", &task.to_string(), "--kind", kind].map(str::to_owned);
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        self.eventually(&format!("an event {kind} of #{task} ({what})"), || {
            let lines = self.daemon.cli(&argv).ok()?;
            (!lines.is_empty()).then(|| self.tell(&format!("  -- on record: {lines}")))
        })
    }

    /// The processes of tasks that live.
    pub(crate) fn of_tasks(&self) -> Vec<Pid> {
        let found = sweep::find(self.place.dir()).into_iter();
        found.filter(|(_, part)| *part == Part::Task).map(|(pid, _)| pid).collect()
    }

    /// The daemon, shims and processes of tasks that live.
    pub(crate) fn of_daemon(&self) -> Vec<Pid> {
        let found = sweep::find(self.place.dir()).into_iter();
        found.filter(|(_, part)| *part != Part::Other).map(|(pid, _)| pid).collect()
    }
}

/// Says what is off, unless it is good.
pub(crate) fn check(good: bool, off: impl FnOnce() -> String) -> Step {
    if good { Ok(()) } else { Err(off()) }
}

/// Whether there is such a process.
pub(crate) fn alive(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid).exists()
}
