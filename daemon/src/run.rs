//! The loop: receive, load, decide, commit, perform. All control flow of the daemon is here.
//!
//! What waits when a turn starts is decided and committed together, so many commands share one sync. Nothing is answered,
//! sent or started before its commit. Taking over after a crash is the same path with [`Input::Booted`] and what the
//! machine says of every attempt: there is no other recovery.

use crate::attempt::Identity;
use crate::command::{COMMANDS, Command, Mode, parse_argv};
use crate::config::Config;
use crate::decide::{Draft, Moment, Said, attempt, chat, decide, due, outflow};
use crate::event::{Event, Fact, Passed};
use crate::exit::{ExitCode, Fatal};
use crate::id::{Actor, AttemptKey};
use crate::input::{Incoming, IncomingKind, Input, ReplyTo};
use crate::perform::perform;
use crate::plan::{Effect, Plan};
use crate::policy;
use crate::poll::{PollHealth, Strangers};
use crate::ports::{
    Answer, Call, CallError, CallErrorKind, Called, ControlInput, LocalFuture, LocalRequest, Notice, Noticed, Poll,
    Ports, Telegram,
};
use crate::real::store::{Store, StoreError};
use crate::view::View;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::collections::BTreeMap;
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
        daemon.leaving = inputs.contains(&Input::Terminate);
        let effects = daemon.settle(&inputs).await?;
        daemon.perform(effects);
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
    /// The next offset to be committed with the updates of the poll that just came in.
    cursor: Option<i64>,
    /// The next poll is to begin, after a pause in ms, once what came in is committed.
    next_poll: Option<i64>,
    strangers: Strangers,
    username: Option<String>,
    /// The command menu was set and the user name asked for.
    introduced: bool,
    /// Per attempt: boot clock of the last progress shown, and a newer line that waits.
    progress: BTreeMap<AttemptKey, (i64, Option<String>)>,
    /// The disk is too full to dispatch.
    disk_low: bool,
    /// Something may be claimable, or sendable.
    look: Look,
    /// Boot clock at which something becomes due by itself.
    next_due: Option<i64>,
    /// It was told to end: nothing new begins.
    leaving: bool,
    /// The first turn is committed: from here on trouble with the disk is weathered, not fatal.
    settled: bool,
    /// A turn whose commit failed: the record's tip if it is there after all, and what it came to.
    unsure: Option<([u8; 32], Turned)>,
    /// The record's length at the last checkpoint.
    checkpointed_at: i64,
}

/// What a turn has to look at once its inputs are decided.
#[derive(Clone, Copy)]
struct Look {
    queue: bool,
    outbox: bool,
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
    fn take_over(ports: Ports, config: Rc<Config>) -> Result<(Daemon, Vec<Input>), Fatal> {
        let mut store = Store::open(&*ports.storage).map_err(|e| fatal(&e))?;
        let bot = ports.telegram.as_ref().map(|t| t.bot_id());
        let username = bot.map_or(Ok(None), |bot| store.username(bot)).map_err(|e| fatal(&e))?;
        let inputs = boot_inputs(&ports, &mut store).map_err(|e| fatal(&e))?;
        let daemon = Daemon {
            store,
            under_way: FuturesUnordered::new(),
            watched: BTreeMap::new(),
            sending: BTreeMap::new(),
            last_call_ms: i64::MIN / 2,
            polling: PollHealth::default(),
            cursor: None,
            next_poll: ports.telegram.as_ref().map(|_| 0),
            strangers: Strangers::default(),
            username,
            introduced: false,
            progress: BTreeMap::new(),
            disk_low: false,
            look: Look { queue: true, outbox: true },
            next_due: Some(0),
            leaving: false,
            settled: false,
            unsure: None,
            checkpointed_at: 0,
            ports,
            config,
        };
        Ok((daemon, inputs))
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
                self.settle(&inputs).await?;
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
        if self.disk_low || self.next_due.is_some_and(|due| due <= now.boot_ms) {
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
                inputs.extend(self.polling.completed(now.boot_ms, now.wall_ms).map(Input::Seen));
                let bot = self.bot();
                self.cursor = updates.last().map(|last| i64::from(last.id.0) + 1);
                inputs.extend(updates.iter().map(|update| Input::Update(Incoming::read(bot, update))));
                self.next_poll = Some(0);
                if !self.introduced {
                    self.introduced = true;
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
            // The next completed poll tries again.
            Came::Me(Err(_)) => self.introduced = false,
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
        let mut done = Turned::default();
        loop {
            let looked = self.look_again(&mut held, &mut done);
            match looked.and_then(|()| self.turn(&held, trouble.as_ref())) {
                Ok(turned) => {
                    done.then(turned);
                    log(&done.events);
                    return Ok(done.effects);
                }
                Err(error @ (StoreError::Transient(_) | StoreError::Full)) if self.settled => {
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
    fn look_again(&mut self, held: &mut Vec<Input>, done: &mut Turned) -> Result<(), StoreError> {
        if self.unsure.is_some() {
            self.reopen()?;
        }
        if let Some((tip, turned)) = self.unsure.take()
            && tip == self.store.tip()
        {
            self.cursor = None;
            done.then(turned);
            held.clear();
        }
        Ok(())
    }

    /// Waits a while for the storage to recover. Whoever asks locally in the meantime is told; the rest is kept.
    async fn weather(&mut self, mut held: Vec<Input>, error: &StoreError, tries: u32) -> Vec<Input> {
        let why = format!("the daemon can't {error}; nothing was done: make room or repair the disk, then ask again");
        let refuse = |request: &LocalRequest| {
            let data = serde_json::json!({ "error": why });
            self.ports.control.answer(request.connection, Answer { ok: false, text: why.clone(), data });
        };
        // As long as nobody knows whether the commit is there, nobody can be told that nothing was done.
        if self.unsure.is_none() {
            held.retain(|input| {
                let Input::Local(request) = input else { return true };
                refuse(request);
                false
            });
        }
        let is_held = |request: &LocalRequest| {
            held.iter().any(|input| matches!(input, Input::Local(other) if other.key == request.key))
        };
        let now = self.ports.time.now().boot_ms;
        let entropy = self.ports.time.entropy();
        let until =
            now + policy::backoff_ms(policy::STORAGE_RETRY_BASE_MS, policy::STORAGE_RETRY_CAP_MS, tries, entropy);
        loop {
            self.ports.control.notify(Notice::Alive);
            tokio::select! {
                biased;
                request = self.ports.control.next() => match request {
                    ControlInput::Request(request) if is_held(&request) => {}
                    ControlInput::Request(request) => refuse(&request),
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
        self.store.begin()?;
        let mut result = self.decide_all(inputs, trouble, Care::Hopeful);
        if let Err(StoreError::Misfit(_)) = result
            && self.store.epoch() > 0
        {
            self.store.rollback();
            self.look = Look { queue: true, outbox: true };
            self.store.begin()?;
            result = self.decide_all(inputs, trouble, Care::OneByOne);
        }
        let turned = match result {
            Ok(turned) => turned,
            Err(error) => {
                self.store.rollback();
                self.look = Look { queue: true, outbox: true };
                return Err(error);
            }
        };
        let tip = self.store.tip();
        if let Err(error) = self.store.commit() {
            self.look = Look { queue: true, outbox: true };
            self.unsure = Some((tip, turned));
            return Err(error);
        }
        self.cursor = None;
        Ok(turned)
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
        if let (Some(telegram), Some(cursor)) = (&self.ports.telegram, self.cursor) {
            self.store.set_cursor(telegram.bot_id(), cursor)?;
        }
        Ok(turned)
    }

    /// Loads, decides and applies one input. If deciding it fails (our bug), the others are not held up by it.
    fn decide_one(&mut self, input: &Input, turned: &mut Turned, care: Care) -> Result<(), StoreError> {
        let now = self.moment();
        let savepoint = match care {
            Care::Hopeful => None,
            Care::OneByOne => Some(self.store.savepoint()?),
        };
        let view = self.load(input, now)?;
        let decided = catch_unwind(AssertUnwindSafe(|| decide(&self.config, &view, input, now)));
        let applied = match decided {
            Ok(plan) => self.apply(plan, now, turned),
            Err(_) => Err(StoreError::Misfit("a decision: it panicked".into())),
        };
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
            Input::Returned { .. } => {
                for id in self.store.waiting_for_people()? {
                    view.waiting.extend(self.store.task(id)?);
                }
            }
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
            Input::Booted { .. }
            | Input::Interrupted { .. }
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
        view.chat_before = self.store.chat_before(chat)?;
        if !user.is_some_and(|user| chat::may_speak(&self.config, view, chat, user)) {
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
        if let Some(chat) = self.config.telegram.as_ref().and_then(|t| t.report_chat) {
            view.report_chat_now = self.store.chat_now(chat)?;
        }
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
        if self.leaving || (!self.look.queue && !self.look.outbox) {
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
        // A message can't be due while no call can begin: the end of a call looks again.
        let can_send = self.ports.telegram.is_some() && busy.len() < policy::SENDS_AT_ONCE;
        let message = if can_send { self.store.next_message_due(&busy)? } else { None };
        let message = message.map(|due| due.max(self.last_call_ms + policy::SEND_GAP_MS));
        self.next_due = [self.store.next_task_due(now.boot_ms)?, message].into_iter().flatten().min();
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
            let mut room = concurrency.saturating_sub(running.get(&group).copied().unwrap_or(0)).min(free);
            while room > 0 {
                let before = room;
                let ids = self.store.claimable(&group, now.boot_ms, room)?;
                for id in &ids {
                    let mut claimed = false;
                    self.decide_task(*id, turned, |draft, task| claimed = attempt::claim(draft, task))?;
                    room -= u32::from(claimed);
                }
                free -= before - room;
                // Whatever was not claimed has left the queue: those behind it may have the room.
                let more = room > 0 && ids.len() == before as usize;
                if !more || self.store.claimable(&group, now.boot_ms, 1)?.first() == ids.first() {
                    break;
                }
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
            self.decide_one(&Input::Seen(fact), turned, Care::OneByOne)?;
        }
        Ok(low)
    }

    /// Begins the next call: the most urgent one, one a chat at a time, spaced over all.
    fn send(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        let full = self.sending.len() >= policy::SENDS_AT_ONCE;
        if full || now.boot_ms - self.last_call_ms < policy::SEND_GAP_MS {
            return Ok(());
        }
        let busy: Vec<i64> = self.sending.values().copied().collect();
        if let Some(row) = self.store.sendable(now.boot_ms, &busy)? {
            self.last_call_ms = now.boot_ms;
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
            self.do_effect(effect);
        }
        if let (Some(telegram), Some(pause_ms), false) =
            (self.ports.telegram.clone(), self.next_poll.take(), self.leaving)
        {
            self.poll(telegram, pause_ms);
        }
    }

    fn do_effect(&mut self, effect: Effect) {
        if let Effect::Go { key, identity } | Effect::Watch { key, identity } = &effect
            && self.watched.insert(*key, identity.clone()).is_some()
        {
            return;
        }
        if let Effect::Call { message, chat, .. } = &effect {
            self.sending.insert(*message, *chat);
        }
        if let Some(future) = perform(&self.ports, effect) {
            self.under_way.push(Box::pin(future.map(Came::Input)));
        }
    }

    fn bot(&self) -> i64 {
        self.ports.telegram.as_ref().map_or(0, |t| t.bot_id())
    }

    /// Begins the next long poll after a pause, with the offset that is committed by now.
    fn poll(&mut self, telegram: Rc<dyn Telegram>, pause_ms: i64) {
        let offset = match self.store.cursor(telegram.bot_id()) {
            Ok(next) => next.and_then(|next| i32::try_from(next).ok()),
            Err(error) => {
                // Without the committed offset no poll may begin. That goes on record as a failed poll: if the database
                // takes no writes either, it is opened again.
                let failed = CallError { kind: CallErrorKind::NotSent, text: format!("failed to {error}") };
                self.under_way.push(Box::pin(async move { Came::Polled(Err(failed)) }));
                return;
            }
        };
        let timeout = self.config.telegram.as_ref().map_or(policy::POLL_TIMEOUT_MS, |t| t.poll_timeout_ms);
        let poll = Poll {
            offset,
            timeout: Duration::from_millis(timeout.cast_unsigned()),
            give_up: Duration::from_millis((timeout + policy::POLL_SLACK_MS).cast_unsigned()),
        };
        let time = self.ports.time.clone();
        self.under_way.push(Box::pin(async move {
            if pause_ms > 0 {
                time.sleep_until(time.now().boot_ms + pause_ms).await;
            }
            Came::Polled(telegram.poll(poll).await)
        }));
    }

    /// Sets the bot's command menu and asks for our user name, once in a daemon's life.
    fn introduce(&mut self) {
        let Some(telegram) = self.ports.telegram.clone() else { return };
        let give_up = Duration::from_millis(policy::CALL_GIVE_UP_MS.cast_unsigned());
        self.under_way.push(Box::pin(async move {
            let menu = COMMANDS.iter().map(|s| (s.name.to_owned(), s.about.to_owned())).collect();
            if let Err(error) = telegram.call(Call::SetCommands(menu), give_up).await {
                tracing::info!(%error, "the command menu was not set");
            }
            Came::Me(telegram.call(Call::GetMe, give_up).await)
        }));
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

/// What a new daemon takes in first: that it took over, what the last one was sending, and what the machine says of every
/// attempt that should be or seems to be alive.
fn boot_inputs(ports: &Ports, store: &mut Store) -> Result<Vec<Input>, StoreError> {
    let now = ports.time.now();
    let away_ms = store.last_at()?.map(|at| (now.wall_ms - at).max(0));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut inputs = vec![Input::Booted { version, boot: ports.time.boot_id().to_owned() }];
    inputs.extend(away_ms.map(|away_ms| Input::Returned { away_ms }));
    inputs.extend(store.interrupted_sends()?.into_iter().map(|row| Input::Interrupted { message: row.id }));
    let mut keys: BTreeMap<AttemptKey, Option<Identity>> = BTreeMap::new();
    match ports.runner.scan() {
        Ok(found) => keys.extend(found.into_iter().map(|key| (key, None))),
        Err(error) => tracing::error!(error, "could not list the attempts"),
    }
    for task in store.running()? {
        let attempt = store.task(task.id)?.and_then(|t| t.attempt);
        keys.insert(task.key(), attempt.and_then(|a| a.identity));
    }
    inputs.extend(keys.into_iter().map(|(key, identity)| {
        let observation = ports.runner.observe(key, identity.as_ref());
        Input::Found { key, observation }
    }));
    Ok(inputs)
}

/// What is done about an input that could not be decided or did not fit: it is on record, answered, and passed.
fn failed(config: &Config, view: &View, input: &Input, now: Moment, error: &str) -> Plan {
    let mut draft = Draft::new(config, view, now);
    let sorry = Said::no("this failed inside mainstay: nothing was done, and it is on record (please report it)");
    match input {
        Input::Update(incoming) => {
            let (chat, user) = incoming.place();
            let fact = Fact::PassedOver {
                why: Passed::Failed,
                key: incoming.key(),
                update: Some(incoming.update),
                chat: Some(chat),
                user,
                unrecorded: 0,
            };
            draft.record(None, None, Actor::System, fact);
            if view.stranger.is_none() {
                draft.reply(ReplyTo::Chat { chat, thread: None, message: None }, sorry);
            }
        }
        Input::Local(request) => {
            let command = request.argv.first().cloned().unwrap_or_default();
            let fact = Fact::Refused { command, why: error.to_owned(), already: false };
            draft.record(None, None, Actor::Local(request.uid), fact);
            draft.reply(ReplyTo::Local { connection: request.connection }, sorry);
        }
        Input::Booted { .. }
        | Input::Returned { .. }
        | Input::Interrupted { .. }
        | Input::Me { .. }
        | Input::Found { .. }
        | Input::Started { .. }
        | Input::Noticed { .. }
        | Input::Destroyed { .. }
        | Input::Called { .. }
        | Input::LogRead { .. }
        | Input::Seen(_)
        | Input::Terminate => {
            let what = format!("an input could not be handled: {error}");
            draft.record(None, None, Actor::System, Fact::Violation { what });
        }
    }
    draft.done()
}

/// One line for each event, once it is on record.
fn log(events: &[(i64, Event)]) {
    for (seq, event) in events {
        tracing::info!(
            target: "mainstay::record",
            seq,
            trace = event.trace,
            task = event.task.map(|t| t.0),
            attempt = event.attempt,
            actor = %event.actor,
            event = event.fact.kind(),
            data = %event.fact.data(),
        );
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// The exit code for storage trouble that ends a process, with what to do.
pub fn fatal(error: &StoreError) -> Fatal {
    let (code, advice) = match error {
        StoreError::Full => (ExitCode::DiskFull, "make room, then start again"),
        StoreError::Transient(_) => (ExitCode::StateDirUnusable, "check the state directory's owner, mode and disk"),
        StoreError::Damaged(_) => (
            ExitCode::DatabaseDamaged,
            "nothing was changed; keep a copy of the state directory, then restore a back-up",
        ),
        StoreError::Newer { .. } => (ExitCode::DatabaseNewer, "nothing was changed; start the newer version"),
        StoreError::Fenced { .. } => (ExitCode::OwnershipLost, "nothing was written; the other daemon goes on"),
        StoreError::Misfit(_) => (ExitCode::Internal, "this is a bug; please report it"),
    };
    Fatal::new(code, format!("failed to {error}: {advice}"))
}
