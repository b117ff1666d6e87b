//! The loop: receive, load, decide, commit, perform. All control flow of the daemon is here.
//!
//! What waits when a turn starts is decided and committed together, so many commands share one sync. Nothing is answered,
//! sent or started before its commit. Taking over after a crash is the same path with [`Input::Booted`] and what the
//! machine says of every attempt: there is no other recovery.

use crate::command::{Command, Mode, parse_argv};
use crate::config::Config;
use crate::decide::{Draft, Moment, attempt, chat, decide, due, outflow};
use crate::event::{Event, Fact, Passed};
use crate::exit::{ExitCode, Fatal};
use crate::id::{Actor, AttemptKey};
use crate::input::{Incoming, IncomingKind, Input};
use crate::perform::perform;
use crate::plan::{Effect, Plan};
use crate::policy;
use crate::poll::{PollHealth, Strangers};
use crate::ports::{Answer, Call, CallError, Called, ControlInput, LocalFuture, Notice, Noticed, Poll, Ports};
use crate::real::store::{Store, StoreError};
use crate::view::View;
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
    let (mut daemon, mut inputs) = Daemon::take_over(ports, config)?;
    loop {
        let effects = daemon.settle(&inputs).await?;
        daemon.perform(effects);
        if inputs.contains(&Input::Terminate) {
            daemon.ports.control.notify(Notice::Stopping);
            return Ok(());
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
    /// Attempts with a watch under way.
    watched: BTreeSet<AttemptKey>,
    /// Messages being sent, with their chats: one call a chat at a time.
    sending: BTreeMap<i64, i64>,
    /// Boot clock of the last call begun.
    last_call_ms: i64,
    polling: PollHealth,
    /// The next offset to be committed with the updates of the poll that just came in.
    cursor: Option<i64>,
    strangers: Strangers,
    username: Option<String>,
    /// Per attempt: boot clock of the last progress shown, and a newer line that waits.
    progress: BTreeMap<AttemptKey, (i64, Option<String>)>,
    /// The disk is too full to dispatch.
    disk_low: bool,
    /// Something may be claimable, or sendable.
    look: Look,
    /// Boot clock at which something becomes due by itself.
    next_due: Option<i64>,
    checkpointed_at: i64,
}

/// What a turn has to look at once its inputs are decided.
#[derive(Clone, Copy)]
struct Look {
    queue: bool,
    outbox: bool,
}

/// What a turn came to.
struct Turned {
    effects: Vec<Effect>,
    events: Vec<(i64, Event)>,
}

impl Daemon {
    fn take_over(ports: Ports, config: Rc<Config>) -> Result<(Daemon, Vec<Input>), Fatal> {
        let mut store = Store::open(&*ports.storage).map_err(|e| fatal(&e))?;
        let bot = ports.telegram.as_ref().map(|t| t.bot_id());
        let username = bot.map_or(Ok(None), |bot| store.username(bot)).map_err(|e| fatal(&e))?;
        let inputs = boot_inputs(&ports, &mut store).map_err(|e| fatal(&e))?;
        let daemon = Daemon {
            store,
            under_way: FuturesUnordered::new(),
            watched: BTreeSet::new(),
            sending: BTreeMap::new(),
            last_call_ms: i64::MIN / 2,
            polling: PollHealth::default(),
            cursor: None,
            strangers: Strangers::default(),
            username,
            progress: BTreeMap::new(),
            disk_low: false,
            look: Look { queue: true, outbox: true },
            next_due: Some(0),
            checkpointed_at: 0,
            ports,
            config,
        };
        Ok((daemon, inputs))
    }

    // ------------------------------------------------------------------------------------------ receive

    /// The next inputs: waits for one, then takes all that have come.
    async fn receive(&mut self) -> Vec<Input> {
        let mut came = Vec::new();
        let mut requests = self.ports.control.ready();
        self.take_ready(&mut came);
        if came.is_empty() && requests.is_empty() {
            self.checkpoint(policy::CHECKPOINT_EVENTS);
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
        self.checkpoint(policy::CHECKPOINT_EVENTS_MAX);
        self.ports.control.notify(Notice::Alive);
        let now = self.ports.time.now();
        if self.next_due.is_some_and(|due| due <= now.boot_ms) {
            self.look = Look { queue: true, outbox: true };
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
        let disk = self.disk_low.then_some(now + policy::DISK_LOOK_MS);
        [self.next_due, watchdog, progress, disk].into_iter().flatten().min().unwrap_or(NEVER)
    }

    /// Turns what a future came to into inputs.
    fn take(&mut self, came: Came, inputs: &mut Vec<Input>) {
        let now = self.ports.time.now();
        match came {
            Came::Input(None) => {}
            Came::Input(Some(Input::Noticed { key, noticed: Noticed::Progress(line) })) => {
                self.watched.remove(&key);
                self.progress.entry(key).or_insert((i64::MIN / 2, None)).1 = Some(line);
                inputs.push(Input::Found { key, observation: crate::attempt::Observation::Absent });
                inputs.pop();
                self.rewatch(key);
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
                inputs.extend(self.polling.completed(now.boot_ms, now.wall_ms).map(Input::Seen));
                let bot = self.bot();
                self.cursor = updates.last().map(|last| i64::from(last.id.0) + 1);
                inputs.extend(updates.iter().map(|update| Input::Update(Incoming::read(bot, update))));
                self.poll_after(0);
                if self.username.is_none() {
                    self.ask_who_we_are();
                }
            }
            Came::Polled(Err(error)) => {
                let (news, pause) = self.polling.failed(&error, now.boot_ms, self.ports.time.entropy());
                tracing::info!(%error, pause_ms = pause, "poll failed");
                inputs.extend(news.map(Input::Seen));
                self.poll_after(pause);
            }
            Came::Me(Ok(Called::Me { id, username })) => {
                self.username = Some(username.clone());
                inputs.push(Input::Me { bot: id, username });
            }
            Came::Me(Ok(Called::Done | Called::Message(_)) | Err(_)) => {}
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

    /// Decides and commits inputs. While the storage refuses, nothing is done and nothing is lost: it is tried again.
    async fn settle(&mut self, inputs: &[Input]) -> Result<Vec<Effect>, Fatal> {
        let mut trouble: Option<(i64, String, u32)> = None;
        let mut held = inputs.to_vec();
        loop {
            let result = self.turn(&held, trouble.as_ref());
            match result {
                Ok(turned) => {
                    log(&turned.events);
                    return Ok(turned.effects);
                }
                Err(error @ (StoreError::Transient(_) | StoreError::Full)) if self.store.epoch() > 0 => {
                    let now = self.ports.time.now().boot_ms;
                    let (_, _, tries) = trouble.get_or_insert((now, error.to_string(), 0));
                    if *tries == 0 {
                        tracing::error!(%error, "the database refuses: nothing is started until it takes writes again");
                    }
                    *tries += 1;
                    let tries = *tries;
                    held = self.weather(held, &error, tries).await;
                    if held.contains(&Input::Terminate) {
                        return Err(fatal(&error));
                    }
                }
                Err(error) => return Err(fatal(&error)),
            }
        }
    }

    /// Waits a while for the storage to recover. Whoever asks locally in the meantime is told; the rest is kept.
    async fn weather(&mut self, mut held: Vec<Input>, error: &StoreError, tries: u32) -> Vec<Input> {
        let why = format!("the daemon can't {error}; nothing was done: make room or repair the disk, then ask again");
        let refuse = |input: &Input| match input {
            Input::Local(request) => {
                let data = serde_json::json!({ "error": why });
                self.ports.control.answer(request.connection, Answer { ok: false, text: why.clone(), data });
                false
            }
            _ => true,
        };
        held.retain(refuse);
        let now = self.ports.time.now().boot_ms;
        let entropy = self.ports.time.entropy();
        let until = now + policy::backoff_ms(policy::STORAGE_RETRY_BASE_MS, policy::STORAGE_RETRY_CAP_MS, tries, entropy);
        loop {
            self.ports.control.notify(Notice::Alive);
            tokio::select! {
                biased;
                request = self.ports.control.next() => match request {
                    ControlInput::Request(request) => { refuse(&Input::Local(request)); }
                    ControlInput::Terminate => { held.push(Input::Terminate); return held; }
                },
                () = self.ports.time.sleep_until(until) => return held,
            }
        }
    }

    /// One transaction over all inputs, then over what they made possible and what time did.
    fn turn(&mut self, inputs: &[Input], trouble: Option<&(i64, String, u32)>) -> Result<Turned, StoreError> {
        if trouble.is_some() {
            self.reopen()?;
        }
        let look = self.look;
        self.store.begin()?;
        let result = self.decide_all(inputs, trouble).and_then(|turned| {
            if let (Some(bot), Some(cursor)) = (self.ports.telegram.as_ref().map(|t| t.bot_id()), self.cursor) {
                self.store.set_cursor(bot, cursor)?;
            }
            self.store.commit()?;
            Ok(turned)
        });
        match result {
            Ok(turned) => {
                self.cursor = None;
                Ok(turned)
            }
            Err(error) => {
                self.store.rollback();
                self.sending.retain(|_, chat| *chat != UNCOMMITTED);
                self.look = Look { queue: true, outbox: true };
                let _ = look;
                Err(error)
            }
        }
    }

    /// A connection on which a write failed is not used again: what is on disk decides.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let epoch = self.store.epoch();
        let mut store = Store::open(&*self.ports.storage)?;
        store.keep_epoch(epoch)?;
        self.store = store;
        Ok(())
    }

    fn decide_all(
        &mut self,
        inputs: &[Input],
        trouble: Option<&(i64, String, u32)>,
    ) -> Result<Turned, StoreError> {
        let mut turned = Turned { effects: Vec::new(), events: Vec::new() };
        if let Some((since, error, _)) = trouble {
            let after_ms = self.ports.time.now().boot_ms - since;
            let fact = Fact::StorageRecovered { error: error.clone(), after_ms };
            self.decide_one(&Input::Seen(fact), &mut turned)?;
        }
        for input in inputs {
            self.decide_one(input, &mut turned)?;
        }
        self.pump(&mut turned)?;
        Ok(turned)
    }

    /// Loads, decides and applies one input. If deciding it fails (our bug), the others are not held up by it.
    fn decide_one(&mut self, input: &Input, turned: &mut Turned) -> Result<(), StoreError> {
        let now = self.moment();
        let savepoint = self.store.savepoint()?;
        let view = self.load(input, now)?;
        let decided = catch_unwind(AssertUnwindSafe(|| decide(&self.config, &view, input, now)));
        let applied = match decided {
            Ok(plan) => self.apply(plan, now, turned),
            Err(_) => Err(StoreError::Misfit("a decision: it panicked".into())),
        };
        match applied {
            Ok(()) => self.store.keep(savepoint),
            Err(StoreError::Misfit(error)) => {
                tracing::error!(?input, error, "an input could not be handled");
                self.store.take_back(savepoint)?;
                let plan = failed_plan(input, &error);
                self.apply(plan, now, turned)
            }
            Err(error) => Err(error),
        }
    }

    fn apply(&mut self, plan: Plan, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        let mut recorded = Vec::with_capacity(plan.events.len());
        for event in plan.events {
            let seq = self.store.apply(now.wall_ms, &event)?;
            self.after(&event.fact);
            recorded.push((seq, event));
        }
        turned.events.extend(recorded);
        turned.effects.extend(plan.effects);
        Ok(())
    }

    /// What an event makes worth looking at, and by when.
    fn after(&mut self, fact: &Fact) {
        self.look.queue |= fact.frees_or_queues();
        self.look.outbox |= fact.fills_outbox();
        if let Some(due) = fact.due() {
            self.next_due = Some(self.next_due.map_or(due, |d| d.min(due)));
        }
    }

    fn moment(&self) -> Moment {
        let now = self.ports.time.now();
        Moment { wall_ms: now.wall_ms, boot_ms: now.boot_ms, entropy: self.ports.time.entropy() }
    }

    // ------------------------------------------------------------------------------------------ load

    fn load(&mut self, input: &Input, now: Moment) -> Result<View, StoreError> {
        let mut view = self.store.view()?;
        match input {
            Input::Booted { .. } => view.waiting = self.store.waiting_for_people()?,
            Input::Update(incoming) => self.load_update(&mut view, incoming, now)?,
            Input::Local(request) => {
                if let Ok(command) = parse_argv(&request.argv) {
                    if !command.is_read() {
                        view.seen = self.store.seen(&format!("l:{}", request.key))?;
                    }
                    self.load_command(&mut view, &command, now)?;
                }
            }
            Input::Found { key, .. }
            | Input::Started { key, .. }
            | Input::Noticed { key, .. }
            | Input::Destroyed { key, .. } => view.task = self.store.task(key.task)?,
            Input::Called { message, .. } => {
                view.outbox = self.store.message(*message)?;
                if let Some(task) = view.outbox.as_ref().and_then(|o| o.task) {
                    view.task = self.store.task(task)?;
                }
            }
            Input::Interrupted { .. }
            | Input::Me { .. }
            | Input::LogRead { .. }
            | Input::Seen(_)
            | Input::Terminate => {}
        }
        Ok(view)
    }

    fn load_update(&mut self, view: &mut View, incoming: &Incoming, now: Moment) -> Result<(), StoreError> {
        view.username.clone_from(&self.username);
        if let Some(key) = incoming.key() {
            view.seen = self.store.seen(&key)?;
        }
        if let IncomingKind::Press { data, .. } = &incoming.what {
            view.button = self.store.button(data)?;
        }
        let (chat, user) = incoming.place();
        let known = user.is_some_and(|user| self.config.operators.contains_key(&user));
        let listed = self.config.telegram.as_ref().is_some_and(|t| t.chats.contains(&chat));
        if !known || (Some(chat) != user && !listed) {
            view.stranger = self.strangers.knock(chat, now.boot_ms);
            return Ok(());
        }
        if let Some(command) = chat::command_of(incoming, view.button.as_ref(), self.username.as_deref()) {
            self.load_command(view, &command, now)?;
        }
        Ok(())
    }

    fn load_command(&self, view: &mut View, command: &Command, now: Moment) -> Result<(), StoreError> {
        self.store.load_command(view, command, now.wall_ms)?;
        view.polled_ms = self.polling.completed_ms;
        if matches!(command, Command::Ops) {
            view.free_bytes = self.ports.storage.free_bytes();
        }
        if matches!(command, Command::Why { .. }) {
            let running: u32 = self.store.running_by_group()?.iter().map(|(_, n)| n).sum();
            view.running_full = running >= self.config.running_max;
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ what is due

    /// What became possible or due: expired tasks, put-off starts, free slots, messages to send.
    fn pump(&mut self, turned: &mut Turned) -> Result<(), StoreError> {
        if !self.look.queue && !self.look.outbox {
            return Ok(());
        }
        let now = self.moment();
        if self.look.queue {
            for id in self.store.expired(now.boot_ms, 100)? {
                self.decide_task(id, turned, due::expire)?;
            }
            for id in self.store.overdue(now.boot_ms)? {
                self.decide_task(id, turned, due::overdue)?;
            }
            self.dispatch(now, turned)?;
        }
        if self.look.outbox && self.ports.telegram.is_some() {
            self.send(now, turned)?;
        }
        self.look = Look { queue: false, outbox: false };
        let busy: Vec<i64> = self.sending.values().copied().collect();
        self.next_due = self.store.next_due(&busy)?.map(|due| due.max(self.last_call_ms + policy::SEND_GAP_MS));
        if self.ports.telegram.is_none() {
            self.next_due = self.store.next_due(&busy)?;
        }
        Ok(())
    }

    fn decide_task(
        &mut self,
        id: crate::id::TaskId,
        turned: &mut Turned,
        decide: impl FnOnce(&mut Draft<'_>, &crate::view::TaskView),
    ) -> Result<(), StoreError> {
        let now = self.moment();
        let view = self.store.view()?;
        let Some(task) = self.store.task(id)? else { return Ok(()) };
        let config = self.config.clone();
        let mut draft = Draft::new(&config, &view, now);
        decide(&mut draft, &task);
        let plan = draft.done();
        self.apply(plan, now, turned)
    }

    /// Claims free slots: of the machine, and of each group.
    fn dispatch(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        if self.store.view()?.mode() == Mode::Readonly || self.disk_is_low(turned)? {
            return Ok(());
        }
        let running: BTreeMap<String, u32> = self.store.running_by_group()?.into_iter().collect();
        let mut free = self.config.running_max.saturating_sub(running.values().sum());
        let groups: BTreeMap<String, u32> =
            self.config.kinds.values().map(|kind| (kind.group.clone(), kind.concurrency)).collect();
        for (group, concurrency) in groups {
            let room = concurrency.saturating_sub(running.get(&group).copied().unwrap_or(0)).min(free);
            if room == 0 {
                continue;
            }
            for id in self.store.claimable(&group, now.boot_ms, room)? {
                let mut claimed = false;
                self.decide_task(id, turned, |draft, task| claimed = attempt::claim(draft, task))?;
                free -= u32::from(claimed);
            }
        }
        Ok(())
    }

    fn disk_is_low(&mut self, turned: &mut Turned) -> Result<bool, StoreError> {
        let Some(free) = self.ports.storage.free_bytes() else { return Ok(false) };
        let low = free < policy::DISK_RESERVE_BYTES;
        if low != self.disk_low {
            self.disk_low = low;
            let fact = if low { Fact::DiskLow { free } } else { Fact::DiskWell { free } };
            self.decide_one(&Input::Seen(fact), turned)?;
        }
        Ok(low)
    }

    /// Begins the next calls: the most urgent first, one a chat, spaced over all.
    fn send(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        let room = policy::SENDS_AT_ONCE.saturating_sub(self.sending.len());
        if room == 0 || now.boot_ms - self.last_call_ms < policy::SEND_GAP_MS {
            return Ok(());
        }
        let busy: Vec<i64> = self.sending.values().copied().collect();
        for row in self.store.sendable(now.boot_ms, &busy, room)? {
            let view = self.store.view()?;
            let task = row.task.map_or(Ok(None), |id| self.store.task(id))?;
            let config = self.config.clone();
            let mut draft = Draft::new(&config, &view, now);
            outflow::send(&mut draft, &row, task.as_ref());
            let plan = draft.done();
            self.apply(plan, now, turned)?;
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ perform

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Go { key, .. } | Effect::Watch { key, .. } => {
                    if !self.watched.insert(*key) {
                        continue;
                    }
                }
                Effect::Call { message, chat, .. } => {
                    self.sending.insert(*message, *chat);
                    self.last_call_ms = self.ports.time.now().boot_ms;
                }
                _ => {}
            }
            if let Some(future) = perform(&self.ports, effect) {
                self.under_way.push(Box::pin(future.map(Came::Input)));
            }
        }
    }

    fn bot(&self) -> i64 {
        self.ports.telegram.as_ref().map_or(0, |t| t.bot_id())
    }

    /// Begins the next long poll after a pause, with the offset that is committed by then.
    fn poll_after(&mut self, pause_ms: i64) {
        let _ = pause_ms;
    }

    fn ask_who_we_are(&mut self) {
        let Some(telegram) = self.ports.telegram.clone() else { return };
        let give_up = Duration::from_millis(policy::CALL_GIVE_UP_MS.cast_unsigned());
        self.under_way.push(Box::pin(async move { Came::Me(telegram.call(Call::GetMe, give_up).await) }));
    }

    fn rewatch(&mut self, key: AttemptKey) {
        let _ = key;
    }

    fn checkpoint(&mut self, events: i64) {
        let _ = events;
    }
}
