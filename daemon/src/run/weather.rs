//! Committing when the disk does not play along: nothing is lost, nothing is said that may not be true.

use super::{Daemon, Turned, Unsure, fatal, millis};
use crate::command::{Command, parse_argv};
use crate::exit::Fatal;
use crate::input::Input;
use crate::perform::perform;
use crate::policy::{self, ErrorClass};
use crate::ports::{Answer, ControlInput, LocalRequest, Notice};
use crate::real::store::{LogKept, Store, StoreError};

impl Daemon {
    /// Decides and commits inputs. While the storage refuses, nothing is done and nothing is lost: it is tried again.
    pub(super) async fn settle(&mut self, inputs: &[Input]) -> Result<Turned, Fatal> {
        let mut trouble: Option<(i64, String, u32)> = None;
        let mut held = inputs.to_vec();
        let mut done = Turned::default();
        loop {
            let looked = self.look_again(&mut held, &mut done);
            match looked.and_then(|()| self.turn(&held, trouble.as_ref())) {
                Ok(turned) => {
                    done.then(turned);
                    return Ok(done);
                }
                Err(error) if error.class() == ErrorClass::Transient && self.settled && !self.leaving => {
                    let now = self.ports.time.now().boot_ms;
                    let (_, _, tries) = trouble.get_or_insert((now, error.to_string(), 0));
                    if *tries == 0 {
                        tracing::error!(%error, "the database refuses: nothing is started until it takes writes again");
                    }
                    *tries += 1;
                    let tries = *tries;
                    // Whether it can be read yet or not: the next round looks again.
                    let _ = self.look_again(&mut held, &mut done);
                    held = self.weather(held, &error, tries).await;
                    if held.contains(&Input::Terminate) {
                        return Err(fatal(&error));
                    }
                }
                Err(error) => return Err(fatal(&error)),
            }
        }
    }

    /// What is on disk decides whether a commit that reported failure is there after all: then `held` is done, and this is
    /// what it came to. Its effects begin only after the next commit, whose sync makes sure of both. While the database
    /// can't even be read, nobody knows.
    pub(super) fn look_again(&mut self, held: &mut Vec<Input>, done: &mut Turned) -> Result<(), StoreError> {
        if self.unsure.is_some() {
            self.reopen()?;
        }
        let Some(Unsure { tip, turned, before }) = self.unsure.take() else { return Ok(()) };
        if tip == self.store.tip() {
            self.cursor = None;
            done.then(turned);
            held.clear();
        } else {
            self.marks = before;
        }
        Ok(())
    }

    /// What an earlier daemon left in the log may have a gap, and behind one nothing may be acknowledged: waits for whoever
    /// keeps it from being emptied. Where the disk does not take it (full, broken) it goes on behind what may be a gap: a task
    /// that fills the disk has to be stoppable. False when it is told to end meanwhile.
    pub(super) async fn wait_for_readers(&mut self) -> Result<bool, Fatal> {
        let mut tries = 0;
        while let Some(kept) = self.store.log_kept() {
            let error = StoreError::Transient(kept.to_string());
            if let LogKept::Failed(_) = kept {
                tracing::warn!(%error, "if a sync failed before the last end, a power loss can take back what comes now");
                return Ok(true);
            }
            if tries == 0 {
                tracing::error!(%error, "the database is in use: nothing is started until its readers are done");
            }
            tries = policy::READERS_TRIES_MAX.min(tries + 1);
            if self.weather(Vec::new(), &error, tries).await.contains(&Input::Terminate) {
                return Ok(false);
            }
            match self.reopen() {
                Err(error) if error.class() != ErrorClass::Transient => return Err(fatal(&error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(true)
    }

    /// Waits a while for the storage to recover. Whoever asks locally in the meantime is answered from what is on record, or
    /// told that nothing was done; the rest is kept.
    pub(super) async fn weather(&mut self, inputs: Vec<Input>, error: &StoreError, tries: u32) -> Vec<Input> {
        // As long as nobody knows whether the commit is there, nobody can be told what is.
        let known = self.unsure.is_none();
        let readable = known && self.reopen().is_ok();
        // What could not be synced is not there, and is again for who opens the database after a crash.
        let may_come_back = self.log_is_doubtful;
        let mut held = Vec::with_capacity(inputs.len());
        for input in inputs {
            let Input::Local(request) = input else {
                held.push(input);
                continue;
            };
            if known && (is_question(&request) || !may_come_back) {
                self.tell(request, error, readable).await;
            } else {
                held.push(Input::Local(request));
            }
        }
        let is_held = |held: &[Input], request: &LocalRequest| {
            held.iter().any(|input| matches!(input, Input::Local(other) if other.key == request.key))
        };
        let now = self.ports.time.now().boot_ms;
        let entropy = self.ports.time.entropy();
        let until =
            now + policy::backoff_ms(policy::STORAGE_RETRY_BASE_MS, policy::STORAGE_RETRY_CAP_MS, tries, entropy);
        loop {
            // Also when clients ask without a pause.
            if self.ports.time.now().boot_ms >= until {
                return held;
            }
            self.ports.control.notify(Notice::Alive);
            // The pause may be longer than the service manager waits for a sign of life.
            let watchdog = self.ports.control.watchdog().map(|every| self.ports.time.now().boot_ms + millis(every) / 2);
            let request = tokio::select! {
                biased;
                request = self.ports.control.next() => request,
                () = self.ports.time.sleep_until(watchdog.map_or(until, |at| at.min(until))) => continue,
            };
            match request {
                // The same again, on a new connection: whatever comes of it is told there too.
                ControlInput::Request(request) if is_held(&held, &request) => held.push(Input::Local(request)),
                ControlInput::Request(request) => self.tell(request, error, readable).await,
                ControlInput::Terminate => {
                    held.push(Input::Terminate);
                    return held;
                }
            }
        }
    }

    /// Answers a question; says of a change that it was not done, unless it came before.
    async fn tell(&mut self, request: LocalRequest, error: &StoreError, readable: bool) {
        let connection = request.connection;
        if is_question(&request) && readable && self.look_up(Input::Local(request.clone()), error).await.is_ok() {
            return;
        }
        if let (true, Ok(Some(task))) = (readable, self.store.seen(&request.natural_key())) {
            let task = task.map_or_else(String::new, |task| format!(" as task {task}"));
            let text = format!("the daemon can't {error}; this request was already taken up before that{task}");
            let data = serde_json::json!({ "error": text, "replayed": true });
            return self.ports.control.answer(connection, Answer { ok: false, text, data });
        }
        let by_hand = if readable { self.by_hand(&request) } else { String::new() };
        let advice = if matches!(error, StoreError::Full) {
            "make room on the disk"
        } else {
            "see that the disk works and that nobody holds the database open"
        };
        let text = format!("the daemon can't {error}; nothing was done: {advice}, then ask again{by_hand}");
        let data = serde_json::json!({ "error": text });
        self.ports.control.answer(connection, Answer { ok: false, text, data });
    }

    /// How to stop a task without us: it may be the one that is in the way.
    fn by_hand(&self, request: &LocalRequest) -> String {
        let Ok(Command::Stop { task }) = parse_argv(&request.argv) else { return String::new() };
        let attempt = self.store.task(task).ok().flatten().and_then(|task| task.attempt);
        let shim = attempt.filter(|attempt| attempt.ended_ms.is_none()).and_then(|attempt| attempt.identity);
        shim.map_or_else(String::new, |shim| format!(" (`kill {}` ends task {task} by hand)", shim.pid))
    }

    /// Loads, decides and performs as every turn does, but for the commit: a question leaves nothing to commit.
    async fn look_up(&mut self, question: Input, error: &StoreError) -> Result<(), StoreError> {
        let mut next = Some(question);
        while let Some(input) = next.take() {
            let input = self.ports.secrets.input(&input).into_owned();
            let now = self.moment();
            let mut view = self.load(&input, now)?;
            view.refuses = Some(error.to_string());
            let plan = self.plan(&view, &input, now)?;
            if !plan.events.is_empty() {
                return Err(StoreError::Misfit(format!("a question that leaves events: {:?}", plan.events)));
            }
            for effect in plan.effects {
                if let Some(future) = perform(&self.ports, effect) {
                    next = future.await;
                }
            }
        }
        Ok(())
    }

    /// A connection on which a write failed is not used again: what is on disk decides.
    pub(super) fn reopen(&mut self) -> Result<(), StoreError> {
        let epoch = self.store.epoch();
        // What is left of the failed turn must not be in the way of the new connection.
        self.store.rollback();
        let mut store = Store::open(&*self.ports.storage)?;
        // None was taken yet by a daemon that has just begun.
        if epoch > 0 {
            store.keep_epoch(epoch)?;
        }
        self.store = store;
        Ok(())
    }
}

/// What can't be parsed changes nothing either, and is told why.
fn is_question(request: &LocalRequest) -> bool {
    parse_argv(&request.argv).map_or(true, |command| command.is_read())
}
