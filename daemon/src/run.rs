//! The loop: receive, load, decide, commit, perform. All control flow of the daemon starts here; what single steps look at
//! stands in the files beside: [`load`], [`pump`] (time and free slots), [`health`] (whether all is well),
//! [`weather`] (a disk that refuses), [`polling`],
//! [`ends`] (the first inputs, failed ones, exit codes).
//!
//! What waits when a turn starts is decided and committed together, so many commands share one sync. Nothing is answered,
//! sent or started before its commit. Taking over after a crash is the same path with [`Input::Booted`] and what the
//! machine says of every attempt: there is no other recovery.

mod ends;
mod health;
mod load;
mod polling;
mod pump;
mod weather;

pub use ends::fatal;

use crate::attempt::Identity;
use crate::config::Config;
use crate::decide::alert::Watch;
use crate::decide::{Moment, decide};
use crate::event::{Event, Fact};
use crate::exit::Fatal;
use crate::id::{AttemptKey, TaskId};
use crate::input::{Incoming, Input};
use crate::outage::Outage;
use crate::perform::perform;
use crate::plan::{Effect, Plan};
use crate::policy;
use crate::poll::{PollHealth, Strangers};
use crate::ports::{CallError, Called, ControlInput, LocalFuture, Notice, Noticed, Ports};
use crate::real::store::{Store, StoreError};
use crate::starts::Starts;
use crate::view::View;
use ends::{boot_inputs, failed, log};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;
use teloxide_core::types::Update;

/// Runs the daemon until it is told to end. The caller holds the lock on the state directory.
///
/// # Errors
/// What no restart by itself would mend, with an exit code for each.
pub async fn run(ports: Ports, config: Rc<Config>) -> Result<(), Fatal> {
    let mut daemon = Daemon::take_over(ports, config)?;
    if !daemon.wait_for_readers().await? {
        return Ok(());
    }
    let mut inputs = boot_inputs(&daemon.ports, &daemon.config, &daemon.store).map_err(|error| fatal(&error))?;
    loop {
        daemon.leaving = inputs.contains(&Input::Terminate);
        let Turned { effects, events } = daemon.settle(&inputs).await?;
        daemon.perform(effects);
        // Nobody who waits for an answer waits for its log lines.
        log(&events);
        if !daemon.settled {
            daemon.settled = true;
            daemon.ports.control.notify(Notice::Ready);
        }
        if daemon.leaving {
            daemon.ports.control.notify(Notice::Stopping);
            return daemon.finish_sending().await;
        }
        inputs = daemon.receive().await;
    }
}

/// What a future under way came to.
enum Came {
    /// An input, if anything came of it.
    Input(Option<Input>),
    /// A long poll ended.
    Polled(Result<Vec<Update>, CallError>),
    /// The bot told who it is, or did not.
    Me(Result<Called, CallError>),
}

struct Daemon {
    ports: Ports,
    config: Rc<Config>,
    store: Store,
    /// Effects under way. Dropping the daemon drops them: there are no detached tasks.
    under_way: FuturesUnordered<LocalFuture<'static, Came>>,
    /// Attempts with a watch under way, and their shims.
    watched: BTreeMap<AttemptKey, Identity>,
    /// Messages being sent, with their chats: one call a chat at a time.
    sending: BTreeMap<i64, i64>,
    /// Boot clock of the last call begun.
    last_call_ms: i64,
    polling: PollHealth,
    /// Boot clock at which the poll under way began, its pause included.
    poll_began: i64,
    /// The next offset to be committed with the updates of the poll that just came in.
    cursor: Option<i64>,
    /// The next poll is to begin, after a pause in ms, once what came in is committed.
    next_poll: Option<i64>,
    marks: Marks,
    username: Option<String>,
    /// The command menu is to be set and the user name asked for, with the first poll that completes from this boot clock on.
    introduce_at: Option<i64>,
    /// Per attempt: boot clock of the last progress shown, and a newer line that waits.
    progress: BTreeMap<AttemptKey, (i64, Option<String>)>,
    /// Something may be claimable, or sendable.
    look: Look,
    /// Boot clock at which something becomes due by itself.
    next_due: Option<i64>,
    /// It was told to end: nothing new begins.
    leaving: bool,
    /// The first turn is committed: from here on trouble with the disk is weathered, not fatal.
    settled: bool,
    /// A turn whose commit failed.
    unsure: Option<Unsure>,
    /// A commit failed, perhaps while it was being synced, and none succeeded since.
    log_is_doubtful: bool,
    /// The record's length at the last checkpoint.
    checkpointed_at: i64,
    /// When the record's beginning is looked at.
    record_look: RecordLook,
}

/// What is remembered from one turn to the next beside the database. A turn that did not come to be takes it back.
#[derive(Clone, Default)]
struct Marks {
    strangers: Strangers,
    outage: Outage,
    starts: Starts,
    /// Nothing new is claimed, by the turn that is told so too.
    draining: bool,
    /// The disk is too full to dispatch.
    disk_low: bool,
    /// What was seen to be wrong, and boot clock at which it is looked again.
    watch: Watch,
    look_at_health_at: i64,
    /// Tasks that can't be decided about (our bug): left alone for the rest of this daemon's life, which goes on for the others.
    set_aside: BTreeSet<TaskId>,
}

/// A turn of which nobody knows whether it is on disk.
struct Unsure {
    /// The record's tip if it is.
    tip: [u8; 32],
    /// What it came to then.
    turned: Turned,
    /// What is remembered if it is not.
    before: Marks,
}

/// What a turn has to look at once its inputs are decided.
#[derive(Clone, Copy)]
struct Look {
    queue: bool,
    outbox: bool,
    health: bool,
}

impl Look {
    /// At all that became possible or due.
    const DUE: Look = Look { queue: true, outbox: true, health: false };
}

/// When the record's beginning is looked at, by the boot clock.
#[derive(Clone, Copy)]
struct RecordLook {
    /// Not before this, in a turn that is taken anyway.
    not_before: i64,
    /// Then a turn is taken for it.
    due: Option<i64>,
}

/// Whether single inputs of a turn can be taken back.
#[derive(Clone, Copy)]
enum Care {
    /// No: what does not fit fails the turn. The usual case, and cheaper by a savepoint an input.
    Hopeful,
    /// Yes: a turn that failed is decided again like this, so that one bad input does not hold up the others.
    OneByOne,
}

/// What a turn came to.
#[derive(Default)]
struct Turned {
    effects: Vec<Effect>,
    events: Vec<(i64, Event)>,
}

impl Turned {
    fn then(&mut self, later: Turned) {
        self.effects.extend(later.effects);
        self.events.extend(later.events);
    }
}

impl Daemon {
    fn take_over(ports: Ports, config: Rc<Config>) -> Result<Daemon, Fatal> {
        let store = Store::open(&*ports.storage).map_err(|e| fatal(&e))?;
        let bot = ports.telegram.as_ref().map(|t| t.bot_id());
        let username = bot.map_or(Ok(None), |bot| store.username(bot)).map_err(|e| fatal(&e))?;
        Ok(Daemon {
            store,
            under_way: FuturesUnordered::new(),
            watched: BTreeMap::new(),
            sending: BTreeMap::new(),
            last_call_ms: i64::MIN / 2,
            polling: PollHealth::new(ports.time.now().boot_ms),
            poll_began: 0,
            cursor: None,
            next_poll: ports.telegram.as_ref().map(|_| 0),
            marks: Marks::default(),
            username,
            introduce_at: Some(0),
            progress: BTreeMap::new(),
            look: Look::DUE,
            next_due: Some(0),
            leaving: false,
            settled: false,
            unsure: None,
            log_is_doubtful: false,
            checkpointed_at: 0,
            record_look: RecordLook { not_before: 0, due: Some(0) },
            ports,
            config,
        })
    }

    /// Waits a little for the answers to messages under way: without them their next daemon would have to mark them as
    /// possible repeats.
    async fn finish_sending(&mut self) -> Result<(), Fatal> {
        let until = self.ports.time.now().boot_ms + policy::SHUTDOWN_SENDING_MS;
        while !self.sending.is_empty() {
            let came = tokio::select! {
                biased;
                Some(one) = self.under_way.next() => one,
                () = self.ports.time.sleep_until(until) => break,
            };
            if let Came::Input(Some(input @ Input::Called { .. })) = &came {
                let inputs = [input.clone()];
                self.take(came, &mut Vec::new());
                let turned = self.settle(&inputs).await?;
                log(&turned.events);
            }
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ receive

    /// The next inputs: waits for one, then takes all that have come.
    async fn receive(&mut self) -> Vec<Input> {
        let mut came = Vec::new();
        let mut requests = self.ports.control.ready();
        self.take_ready(&mut came);
        let idle = came.is_empty() && requests.is_empty();
        self.upkeep(idle);
        if idle {
            let wake = self.wake_at();
            let time = self.ports.time.clone();
            tokio::select! {
                biased;
                request = self.ports.control.next() => requests.push(request),
                Some(one) = self.under_way.next(), if !self.under_way.is_empty() => came.push(one),
                () = time.sleep_until(wake) => {}
            }
            requests.extend(self.ports.control.ready());
            self.take_ready(&mut came);
        }
        let now = self.ports.time.now();
        if self.marks.disk_low || self.next_due.is_some_and(|due| due <= now.boot_ms) {
            (self.look.queue, self.look.outbox) = (true, true);
        }
        let mut inputs = Vec::with_capacity(came.len() + requests.len());
        for one in came {
            self.take(one, &mut inputs);
        }
        self.take_progress(now.boot_ms, &mut inputs);
        inputs.extend(requests.into_iter().map(|request| match request {
            ControlInput::Request(request) => Input::Local(request),
            ControlInput::Terminate => Input::Terminate,
        }));
        inputs
    }

    /// What is done between turns, before it waits: whatever comes then waits for none of it.
    fn upkeep(&mut self, idle: bool) {
        self.checkpoint(if idle { policy::CHECKPOINT_EVENTS } else { policy::CHECKPOINT_EVENTS_MAX });
        self.ports.storage.keep_room();
        self.ports.control.notify(Notice::Alive);
    }

    fn take_ready(&mut self, came: &mut Vec<Came>) {
        while came.len() < policy::TURN_INPUTS_MAX {
            match self.under_way.next().now_or_never() {
                Some(Some(one)) => came.push(one),
                Some(None) | None => break,
            }
        }
    }

    /// When to wake though nothing came in: something is due, or the service manager expects a sign of life.
    fn wake_at(&self) -> i64 {
        const NEVER: i64 = i64::MAX / 4;
        let now = self.ports.time.now().boot_ms;
        let watchdog = self.ports.control.watchdog().map(|every| now + millis(every) / 2);
        let progress = self
            .progress
            .values()
            .filter(|(_, waiting)| waiting.is_some())
            .map(|(shown, _)| shown + policy::PROGRESS_GAP_MS)
            .min();
        let disk = self.marks.disk_low.then_some(now + policy::DISK_LOOK_MS);
        [self.next_due, watchdog, progress, disk, self.record_look.due, Some(self.marks.look_at_health_at)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(NEVER)
    }

    /// Turns what a future came to into inputs.
    fn take(&mut self, came: Came, inputs: &mut Vec<Input>) {
        let now = self.ports.time.now();
        match came {
            Came::Input(None) => {}
            Came::Input(Some(Input::Noticed { key, noticed: Noticed::Progress(line) })) => {
                self.progress.entry(key).or_insert((i64::MIN / 2, None)).1 = Some(line);
                if let Some(identity) = self.watched.remove(&key) {
                    self.do_effect(Effect::Watch { key, identity });
                }
            }
            Came::Input(Some(input)) => {
                if let Input::Noticed { key, .. } = &input {
                    self.watched.remove(key);
                    self.progress.remove(key);
                }
                if let Input::Called { message, .. } = &input {
                    self.sending.remove(message);
                    self.look.outbox = true;
                }
                inputs.push(input);
            }
            Came::Polled(Ok(updates)) => {
                if let Some(news) = self.polling.completed(now.boot_ms, now.wall_ms) {
                    // Presses do not outlive a long silence, whoever of us and the network was away.
                    let away = if let Fact::PollRecovered { after_ms, .. } = &news { Some(*after_ms) } else { None };
                    inputs.push(Input::Seen(news));
                    inputs.extend(away.map(|away_ms| Input::Returned { away_ms, reconfigured: false }));
                }
                let bot = self.bot();
                self.cursor = updates.last().map(|last| i64::from(last.id.0) + 1);
                inputs.extend(updates.iter().map(|update| Input::Update(Incoming::read(bot, update))));
                // A server that answers empty polls at once must not make us spin.
                let hasty = updates.is_empty() && now.boot_ms - self.poll_began < policy::POLL_GUARD_MS;
                self.next_poll = Some(if hasty { policy::POLL_GUARD_MS } else { 0 });
                if self.introduce_at.is_some_and(|at| at <= now.boot_ms) {
                    self.introduce_at = None;
                    self.introduce();
                }
            }
            Came::Polled(Err(error)) => {
                let (news, pause) = self.polling.failed(&error, now.boot_ms, self.ports.time.entropy());
                tracing::info!(%error, pause_ms = pause, "poll failed");
                inputs.extend(news.map(Input::Seen));
                self.next_poll = Some(pause);
            }
            Came::Me(Ok(Called::Me { id, username })) if self.username.as_ref() != Some(&username) => {
                self.username = Some(username.clone());
                inputs.push(Input::Me { bot: id, username });
            }
            Came::Me(Ok(Called::Me { .. } | Called::Done | Called::Message(_))) => {}
            Came::Me(Err(_)) => self.introduce_at = Some(now.boot_ms + policy::INTRODUCE_RETRY_MS),
        }
    }

    fn take_progress(&mut self, boot_ms: i64, inputs: &mut Vec<Input>) {
        for (key, (shown, waiting)) in &mut self.progress {
            if boot_ms - *shown >= policy::PROGRESS_GAP_MS
                && let Some(line) = waiting.take()
            {
                *shown = boot_ms;
                inputs.push(Input::Noticed { key: *key, noticed: Noticed::Progress(line) });
            }
        }
    }

    // ------------------------------------------------------------------------------------------ commit

    /// One transaction over all inputs, then over what they made possible and what time did.
    fn turn(&mut self, inputs: &[Input], trouble: Option<&(i64, String, u32)>) -> Result<Turned, StoreError> {
        if trouble.is_some() {
            self.reopen()?;
            if let (true, Some(kept)) = (self.log_is_doubtful, self.store.log_kept()) {
                return Err(StoreError::Transient(kept.to_string()));
            }
        }
        let before = self.marks.clone();
        self.store.begin()?;
        let mut result = self.decide_all(inputs, trouble, Care::Hopeful);
        if let Err(StoreError::Misfit(_)) = result
            && self.store.epoch() > 0
        {
            self.take_back(before.clone());
            self.store.begin()?;
            result = self.decide_all(inputs, trouble, Care::OneByOne);
        }
        let turned = match result {
            Ok(turned) => turned,
            Err(error) => {
                self.take_back(before);
                return Err(error);
            }
        };
        let tip = self.store.tip();
        if let Err(error) = self.store.commit() {
            // A full disk fails before anything is synced.
            self.log_is_doubtful |= !matches!(error, StoreError::Full);
            self.look = Look::DUE;
            self.unsure = Some(Unsure { tip, turned, before });
            return Err(error);
        }
        self.log_is_doubtful = false;
        self.cursor = None;
        Ok(turned)
    }

    fn take_back(&mut self, before: Marks) {
        self.store.rollback();
        self.marks = before;
        self.look = Look::DUE;
    }

    fn decide_all(
        &mut self,
        inputs: &[Input],
        trouble: Option<&(i64, String, u32)>,
        care: Care,
    ) -> Result<Turned, StoreError> {
        let mut turned = Turned::default();
        if let Some((since, error, _)) = trouble {
            let after_ms = self.ports.time.now().boot_ms - since;
            let fact = Fact::StorageRecovered { error: error.clone(), after_ms };
            self.decide_one(&Input::Seen(fact), &mut turned, care)?;
        }
        for input in inputs {
            self.decide_one(input, &mut turned, care)?;
        }
        self.pump(&mut turned)?;
        self.prune(trouble.is_some(), &mut turned)?;
        if let (Some(telegram), Some(cursor)) = (&self.ports.telegram, self.cursor) {
            self.store.set_cursor(telegram.bot_id(), cursor)?;
        }
        Ok(turned)
    }

    /// Loads, decides and applies one input. If deciding it fails (our bug), the others are not held up by it.
    fn decide_one(&mut self, input: &Input, turned: &mut Turned, care: Care) -> Result<(), StoreError> {
        let secrets = self.ports.secrets.clone();
        let input = &*secrets.input(input);
        let now = self.moment();
        let savepoint = match care {
            Care::Hopeful => None,
            Care::OneByOne => Some(self.store.savepoint()?),
        };
        let view = self.load(input, now)?;
        let applied = self.plan(&view, input, now).and_then(|plan| self.apply(plan, now, turned));
        match (applied, savepoint) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(savepoint)) => self.store.keep(savepoint),
            (Err(StoreError::Misfit(error)), Some(savepoint)) if self.store.epoch() > 0 => {
                tracing::error!(error, "an input could not be handled");
                self.store.take_back(savepoint)?;
                let plan = failed(&self.config, &view, input, now, &error);
                self.apply(plan, now, turned)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Decides one input; a panic there is this input's failure, not the daemon's.
    fn plan(&self, view: &View, input: &Input, now: Moment) -> Result<Plan, StoreError> {
        catch_unwind(AssertUnwindSafe(|| decide(&self.config, view, input, now)))
            .map_err(|_| StoreError::Misfit("a decision: it panicked".into()))
    }

    fn apply(&mut self, plan: Plan, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        let mut recorded = Vec::with_capacity(plan.events.len());
        for event in plan.events {
            let seq = self.store.apply(now.wall_ms, &event)?;
            self.after(&event.fact);
            recorded.push((seq, event));
        }
        for effect in &plan.effects {
            if let Effect::Drain(on) = effect {
                self.marks.draining = *on;
                // What waited may be claimed at once.
                self.look.queue = true;
            }
        }
        turned.events.extend(recorded);
        turned.effects.extend(plan.effects);
        Ok(())
    }

    /// What an event makes worth looking at, and by when.
    fn after(&mut self, fact: &Fact) {
        self.look.queue |= fact.frees_or_queues();
        self.look.outbox |= fact.fills_outbox();
        self.look.health |= fact.may_alarm();
        if let Some(due) = fact.due() {
            self.next_due = Some(self.next_due.map_or(due, |d| d.min(due)));
        }
    }

    fn moment(&self) -> Moment {
        let now = self.ports.time.now();
        Moment { wall_ms: now.wall_ms, boot_ms: now.boot_ms, entropy: self.ports.time.entropy() }
    }

    // ------------------------------------------------------------------------------------------ perform

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.do_effect(effect);
        }
        if let (Some(telegram), Some(pause_ms), false) =
            (self.ports.telegram.clone(), self.next_poll.take(), self.leaving)
        {
            self.poll(telegram, pause_ms);
        }
    }

    fn do_effect(&mut self, effect: Effect) {
        if let Effect::Watch { key, identity } | Effect::Go { key, identity } = &effect {
            let before = self.watched.insert(*key, identity.clone());
            assert!(
                before.is_none() || matches!(effect, Effect::Watch { .. }),
                "attempt {key} is to go, but it was watched already: only what runs is watched"
            );
            if before.is_some() {
                return;
            }
        }
        if let Effect::Call { message, chat, .. } = &effect {
            self.sending.insert(*message, *chat);
        }
        if let Some(future) = perform(&self.ports, effect) {
            self.under_way.push(Box::pin(future.map(Came::Input)));
        }
    }

    /// Empties the WAL once so many events were recorded since the last time.
    fn checkpoint(&mut self, events: i64) {
        if self.store.events() - self.checkpointed_at < events {
            return;
        }
        self.checkpointed_at = self.store.events();
        if let Err(error) = self.store.checkpoint() {
            tracing::warn!(%error, "could not checkpoint the database");
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
