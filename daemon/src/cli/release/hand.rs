//! Does the steps of a switch on this machine.

use super::super::Options;
use super::super::client::{Client, fresh_key};
use super::root::Root;
use super::soak;
use super::supervisor::{Supervisor, of_this_machine};
use super::{child, passing_client, refused};
use crate::command::{Became, ReleaseNews};
use crate::exit::Fatal;
use crate::policy;
use crate::ports::Answer;
use crate::real::clock::wall_ms;
use crate::real::{DATABASE_NAME, store};
use crate::release::Id;
use crate::release::drive::{Failure, Hands};
use crate::release::known::Known;
use crate::release::manifest::Database;
use crate::release::switch::{Outcome, Step, Switch, Way};
use crate::release::tree::PROGRAM;
use crate::release::watch::Heard;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// This machine.
pub(super) struct Hand<'a> {
    root: &'a Root,
    options: &'a Options,
    config: PathBuf,
    state_dir: PathBuf,
    /// What starts the daemon anew, as it was named.
    supervisor: Option<String>,
    /// Keeps a terminal that hangs up from ending us.
    hangup: Option<tokio::runtime::Runtime>,
}

impl<'a> Hand<'a> {
    pub(super) fn new(
        root: &'a Root,
        options: &'a Options,
        config: PathBuf,
        state_dir: PathBuf,
        supervisor: Option<String>,
    ) -> Hand<'a> {
        Hand { root, options, config, state_dir, supervisor, hangup: None }
    }

    /// Who watches from afar may lose the connection, and the release is watched to the end all the same. A handler, not
    /// ignoring: what is started from here does not inherit it.
    pub(super) fn outlive_the_terminal(&mut self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        let heard = {
            let _inside = runtime.enter();
            signal(SignalKind::hangup())
        };
        match heard {
            Ok(_) => self.hangup = Some(runtime),
            Err(error) => self.say(&format!("a terminal that hangs up will end this: {error}")),
        }
    }

    /// What starts the daemon anew.
    pub(super) fn supervisor(&self) -> Result<Box<dyn Supervisor>, Fatal> {
        of_this_machine(self.supervisor.as_deref())
    }

    /// Said before anything is begun.
    pub(super) fn needs_a_supervisor(&self) -> Result<(), Fatal> {
        self.supervisor().map(drop)
    }

    /// The versions of the database, if there is one.
    pub(super) fn database_there(&self) -> Result<Option<Database>, Fatal> {
        let path = self.state_dir.join(DATABASE_NAME);
        if !path.exists() {
            return Ok(None);
        }
        store::versions(&path).map(Some).map_err(|error| {
            refused(format!("failed to {error} ({}): `mainstay check` says more; nothing was done", path.display()))
        })
    }

    /// Asks the daemon something in passing.
    fn ask(&self, argv: &[&str]) -> Result<Answer, String> {
        asked(&mut passing_client(&self.state_dir), argv)
    }

    /// What the daemon says of itself.
    fn heard(&self) -> Result<Heard, String> {
        soak::heard(&self.ask(&["ops"])?.data)
    }

    /// Whether the daemon answers as this release, with a commit.
    pub(super) fn answers_as(&self, id: &Id) -> Result<(), String> {
        let heard = self.heard()?;
        if heard.version != id.as_str() {
            return Err(format!("what runs calls itself {}", heard.version));
        }
        self.tell(Became::Blessed, id, None, "somebody said so")
    }

    /// Puts on record what became of a release: a command, whose answer comes after its commit.
    pub(super) fn tell(&self, became: Became, release: &Id, from: Option<&Id>, why: &str) -> Result<(), String> {
        let news = ReleaseNews {
            release: release.to_string(),
            became,
            from: from.map(ToString::to_string),
            why: why.to_owned(),
        };
        let news = serde_json::to_string(&news).expect("text is JSON");
        let answer = self.ask(&["release", &news])?;
        if answer.ok { Ok(()) } else { Err(answer.text) }
    }

    /// That a person has to look, if there is a daemon to pass it on.
    pub(super) fn tell_of_the_end(&mut self, known: &mut Known) {
        let Some(last) = known.last.as_ref().filter(|last| known.untold && last.outcome == Outcome::Stuck) else {
            return;
        };
        match self.tell(Became::Stuck, &last.to, last.from.as_ref(), &last.why) {
            Ok(()) => known.untold = false,
            Err(why) => self.say(&format!("no daemon could be told to pass it on: {why}")),
        }
    }

    fn preflight(&mut self, known: &mut Known) -> Result<(), Failure> {
        let to = under_way(known).to.clone();
        let mut command = Command::new(self.root.folder(&to).join(PROGRAM));
        command.arg("--config").arg(&self.config).args(["--json", "check"]);
        let ran = child::run(&mut command, policy::PREFLIGHT_WITHIN_MS).map_err(Failure::Step)?;
        let found: Option<Value> = serde_json::from_str(ran.out.trim()).ok();
        let lines = |name: &str| -> Vec<String> {
            let all = found.as_ref().and_then(|found| found[name].as_array()).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        for warning in lines("warnings") {
            self.say(&format!("warning: {warning}"));
        }
        if ran.code != Some(0) {
            let errors = lines("errors").join("; ");
            let said = if errors.is_empty() { ran.words() } else { errors };
            return Err(Failure::Step(format!("the new program's own check says no: {said}")));
        }
        let hash = lines("good").iter().find_map(|line| config_hash_in(line));
        if hash.is_none() {
            self.say("the check tells no hash of the configuration: that it runs with this one is not held against it");
        }
        known.looked_at(&to, wall_ms(), "");
        under_way(known).config = hash;
        Ok(())
    }

    fn back_up(&mut self) -> Result<(), Failure> {
        if !self.state_dir.join(DATABASE_NAME).exists() {
            self.say("there is no database yet: nothing to back up");
            return Ok(());
        }
        // Our own program: it knows the database as it is now.
        let own = std::env::current_exe().map_err(|error| Failure::Step(error.to_string()))?;
        let mut command = Command::new(own);
        command.arg("--config").arg(&self.config).args(["--quiet", "backup"]);
        let ran = child::run(&mut command, policy::DEPLOY_BACKUP_WITHIN_MS).map_err(Failure::Step)?;
        if ran.code != Some(0) {
            return Err(Failure::Step(ran.words()));
        }
        self.say(ran.out.trim());
        Ok(())
    }

    /// A daemon that does not answer starts nothing that we would hear of, and to leave it may be what the switch is for.
    fn drain(&mut self, known: &mut Known) -> Result<(), Failure> {
        let ops = match self.ask(&["ops"]) {
            Ok(ops) => ops.data,
            Err(why) => {
                self.say(&format!("nothing is drained: {why}"));
                return Ok(());
            }
        };
        let switch = under_way(known);
        switch.violations = ops["violations"].as_i64();
        if ops["draining"] == true && !switch.drained {
            // Somebody else wanted it, and will want it still if this ends here.
            return Ok(());
        }
        switch.drained = true;
        if let Err(why) = self.keep(known) {
            let switch = under_way(known);
            if switch.way == Way::Forward {
                return Err(Failure::Halt(why));
            }
            // Nobody would know later that it was for this.
            switch.drained = false;
            self.say(&format!("nothing is drained: {why}"));
            return Ok(());
        }
        match self.ask(&["drain"]) {
            Ok(_) => {}
            Err(why) => self.say(&format!("nothing is drained: {why}")),
        }
        Ok(())
    }

    fn flip(&mut self, switch: &Switch) -> Result<(), Failure> {
        self.root.flip(&switch.to).map_err(|error| Failure::Step(format!("current can't be changed: {error}")))
    }

    fn restart(&mut self, known: &mut Known) -> Result<(), Failure> {
        // By the record, not by the daemon: it may hang.
        under_way(known).life = store::newest_life(&self.state_dir.join(DATABASE_NAME)).ok();
        if let Err(why) = self.keep(known) {
            // Only a command that goes on after us would miss it.
            self.say(&why);
        }
        let supervisor = self.supervisor().map_err(|fatal| Failure::Step(fatal.text))?;
        supervisor.restart().map_err(|why| Failure::Step(format!("the daemon can't be started anew: {why}")))
    }

    fn soak(&mut self, switch: &Switch) -> Result<(), Failure> {
        let supervisor = self.supervisor().map_err(|fatal| Failure::Step(fatal.text))?;
        let state_dir = self.state_dir.clone();
        soak::soak(switch, self, supervisor.as_ref(), &state_dir).map_err(Failure::Step)
    }
}

impl Hands for Hand<'_> {
    fn keep(&mut self, known: &Known) -> Result<(), String> {
        self.root.keep(known)
    }

    fn perform(&mut self, known: &mut Known) -> Result<(), Failure> {
        let switch = under_way(known).clone();
        match switch.step {
            Step::Verify => self.root.verify(&switch.to).map_err(Failure::Step),
            // Who goes back with a reason has heard what speaks against it.
            Step::Preflight if switch.way == Way::Back && switch.forced.is_some() => Ok(()),
            Step::Preflight => self.preflight(known),
            Step::BackUp => self.back_up(),
            Step::Drain => self.drain(known),
            Step::Flip => self.flip(&switch),
            Step::Restart => self.restart(known),
            Step::Soak => self.soak(&switch),
        }
    }

    fn lift_drain(&mut self) {
        match self.ask(&["undrain"]) {
            Ok(_) => self.say("tasks start again"),
            Err(why) => self.say(&format!("the draining could not be lifted (mainstay undrain): {why}")),
        }
    }

    fn database(&mut self) -> Option<Database> {
        self.database_there().unwrap_or_else(|fatal| {
            self.say(&fatal.text);
            None
        })
    }

    fn now_ms(&self) -> i64 {
        wall_ms()
    }

    /// A terminal that is gone is no reason to end.
    fn say(&mut self, words: &str) {
        if !self.options.quiet {
            let words = crate::real::log::clean(words);
            let _ = writeln!(std::io::stderr().lock(), "mainstay: {words}");
        }
    }
}

fn under_way(known: &mut Known) -> &mut Switch {
    known.switch.as_mut().expect("a step belongs to a switch")
}

/// One question, one answer.
pub(super) fn asked(client: &mut Client, argv: &[&str]) -> Result<Answer, String> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    let answer = client.ask(&fresh_key(), &argv).map_err(|unanswered| client.fatal(&unanswered).text)?;
    if answer.data["error"] == "not_permitted" { Err(client.not_permitted().text) } else { Ok(answer) }
}

/// The hash in `/etc/mainstay/mainstay.toml: 2 operators, 3 kinds, hash 0123456789ab`.
fn config_hash_in(line: &str) -> Option<String> {
    let (_, hash) = line.rsplit_once(", hash ")?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (hash.len() >= 8 && hash.bytes().all(hex)).then(|| hash.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_the_configuration_is_found_in_what_the_check_says() {
        let line = "/etc/mainstay/mainstay.toml: 2 operators, 3 kinds, hash 0123456789ab";
        assert_eq!(config_hash_in(line).as_deref(), Some("0123456789ab"));
        for other in ["token of bot 42", "x, hash ", "x, hash 0123", "x, hash 0123456789aX"] {
            assert_eq!(config_hash_in(other), None, "{other}");
        }
    }
}
