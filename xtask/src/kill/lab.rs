//! A machine to strike at: the daemon as a process of ours, its socket, the chat, and the time since the run began.
//!
//! Unlike the stage's daemon nobody starts this one again but the round that killed it, which has its reasons for when. In a
//! drill it has none of its own: there a supervisor starts what runs ([`Lab::around`]).

use super::chat::Chat;
use super::disk::SmallDisk;
use super::evidence::{Entry, Word};
use crate::stage::{BotApi, Heard, Place, Programs, Setting};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything: far beyond what a busy machine needs, so that only a fault gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// What workers' clocks show is late or early by this at most.
const CLOCK_STEP_MS: i64 = 10;
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(2);

/// Who asks for tasks in the chat, each in a private one; and who asks how it is.
pub(crate) const WISHERS: [&str; 5] = ["ben", "cem", "dia", "eli", "fay"];
pub(crate) const PROBERS: [&str; 3] = ["gus", "hal", "ida"];

pub(crate) const SETTING: Setting = Setting {
    name: "kill",
    config: include_str!("world.toml"),
    people: &[
        "1001:ana", "1002:ben", "1003:cem", "1004:dia", "1005:eli", "1006:fay", "1007:gus", "1008:hal", "1009:ida",
    ],
    programs: &[("worker.sh", include_str!("worker.sh"))],
    unlimited: true,
};

/// What is off, or did not come in time: the run is cut off by it.
pub(crate) type Step<T = ()> = Result<T, String>;

/// The machine.
pub(crate) struct Lab<'a> {
    pub(crate) place: &'a Place,
    programs: &'a Programs,
    began: Instant,
    /// Seconds since boot at that time, as workers read them.
    uptime: f64,
    log: File,
    daemon: Option<Child>,
    chat_program: BotApi,
    /// What the chat shows.
    pub(crate) chat: Chat,
    /// Where state is kept, if on a disk of its own.
    pub(crate) disk: Option<SmallDisk>,
    /// An answer on the socket is waited for so long.
    pub(crate) answer_within: Duration,
}

impl<'a> Lab<'a> {
    /// Starts everything; with a small disk under the state, if one is wanted and this user may mount it.
    pub(crate) fn set(programs: &'a Programs, place: &'a Place, on_small_disk: bool) -> Step<Lab<'a>> {
        let disk = on_small_disk.then(|| SmallDisk::mount(&place.path("state"))).transpose()?;
        let mut lab = Lab { disk, ..Lab::around(programs, place)? };
        lab.launch()?;
        lab.until("the daemon's first answer", |lab| lab.once("first", &["whoami"]).ok().map(drop))?;
        Ok(lab)
    }

    /// Starts everything but the daemon.
    pub(crate) fn around(programs: &'a Programs, place: &'a Place) -> Step<Lab<'a>> {
        let (chat_program, output) = BotApi::start(programs, place, true)?;
        let heard = Heard::listen(output.ok_or("the Bot API server has no output")?, false);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.path("daemon.log"))
            .map_err(|e| format!("failed to open the daemon's log: {e}"))?;
        let uptime = uptime().ok_or("/proc/uptime can't be read")?;
        let chat = Chat::new(heard);
        let began = Instant::now();
        let (daemon, disk, answer_within) = (None, None, PATIENCE);
        Ok(Lab { place, programs, began, uptime, log, daemon, chat_program, chat, disk, answer_within })
    }

    /// Ends it; what is left is swept up with the place.
    pub(crate) fn clear(mut self) {
        self.kill();
        self.chat_program.end();
        self.chat.end();
    }

    /// Time since the run began, ms.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Waits until `look` finds something. A daemon that has ended by itself meanwhile is no longer waited for.
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Lab<'a>) -> Option<T>) -> Step<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if let Some(status) = self.daemon.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                self.daemon = None;
                return Err(format!("the daemon ended by itself ({status}) while we waited for {what}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{what} did not come within {} s", PATIENCE.as_secs()));
            }
            std::thread::sleep(GLANCE);
        }
    }

    // The daemon.

    /// Starts the daemon; does not wait for anything.
    pub(crate) fn launch(&mut self) -> Step {
        let mut command = self.command(&["run"]);
        let output = self.log.try_clone().and_then(|out| Ok((out, self.log.try_clone()?)));
        let (out, errors) = output.map_err(|e| format!("failed to share the daemon's log: {e}"))?;
        let child = command.stdout(out).stderr(errors).process_group(0).spawn();
        self.daemon = Some(child.map_err(|e| format!("failed to start the daemon: {e}"))?);
        Ok(())
    }

    /// `kill -9`, and waits until it is dead.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end; how it did.
    pub(crate) fn end(&mut self) -> Step<ExitStatus> {
        self.signal(Signal::TERM);
        let mut child = self.daemon.take().ok_or("there is no daemon to end")?;
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if start.elapsed() < PATIENCE => std::thread::sleep(GLANCE),
                Ok(None) | Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("the daemon did not end within {} s of SIGTERM", PATIENCE.as_secs()));
                }
            }
        }
    }

    /// Signals the daemon.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.daemon.as_ref().and_then(|child| Pid::from_raw(child.id().cast_signed())) {
            // It may have ended since; whoever waits for something of it will say so.
            let _ = kill_process(pid, signal);
        }
    }

    /// The command line, in this place.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.mainstay);
        command.arg("--config").arg(self.place.config()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs the command line to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Step<Output> {
        self.command(args).output().map_err(|e| format!("failed to start mainstay: {e}"))
    }

    // Its socket.

    /// One request on a connection of its own, as the command line makes it; none: nobody answered.
    pub(crate) fn once(&self, key: &str, argv: &[&str]) -> std::io::Result<Value> {
        let mut stream = UnixStream::connect(self.place.path("state/mainstay.sock"))?;
        stream.set_read_timeout(Some(self.answer_within))?;
        writeln!(stream, "{}", json!({ "v": 1, "key": key, "argv": argv }))?;
        let mut text = String::new();
        BufReader::new(stream).read_line(&mut text)?;
        if text.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&text).map_err(std::io::Error::other)
    }

    // The chat.

    /// Somebody types a line.
    pub(crate) fn say(&mut self, who: &str, line: &str) -> Step {
        if self.chat_program.line(&format!(":as {who}\n{line}")) { Ok(()) } else { Err("the chat has ended".into()) }
    }

    // The machine.

    /// What the workers have noted so far.
    pub(crate) fn book(&self) -> Vec<Entry> {
        let text = std::fs::read_to_string(self.place.path("book")).unwrap_or_default();
        text.lines().filter_map(|line| entry(line, self.uptime)).collect()
    }

    /// The folder of an attempt, or something in it, while it lives.
    pub(crate) fn attempt(&self, key: (i64, u32), name: &str) -> PathBuf {
        self.place.path(&format!("state/attempts/{}-{}{name}", key.0, key.1))
    }

    /// The shim of an attempt, if there is one.
    pub(crate) fn shim(&self, key: (i64, u32)) -> Option<Pid> {
        let folder = self.attempt(key, "");
        crate::stage::shims(self.place.dir()).into_iter().find(|(_, of)| *of == folder).map(|(pid, _)| pid)
    }
}

/// A line of the book; none for one that is not whole.
pub(crate) fn entry(line: &str, uptime: f64) -> Option<Entry> {
    let mut words = line.split(' ');
    let word = match words.next()? {
        "begin" => Word::Begin,
        "effect" => Word::Effect,
        "end" => Word::End,
        _ => return None,
    };
    let key = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let pid = words.next()?.parse().ok()?;
    let at: f64 = words.next()?.parse().ok()?;
    // Workers read a clock of hundredths of a second, and so did we: nothing may seem to be before what led to it.
    let at_ms = ((at - uptime) * 1e3) as i64 + CLOCK_STEP_MS;
    Some(Entry { word, key, pid, at_ms, rest: words.next()?.to_owned() })
}

fn uptime() -> Option<f64> {
    std::fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()
}
