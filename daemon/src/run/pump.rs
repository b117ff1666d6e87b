//! What a turn looks at besides its inputs: what time did, which slots are free, which message goes next.

use super::{Care, Daemon, Look, RecordLook, Turned};
use crate::command::Mode;
use crate::decide::retention::{Retention, retention};
use crate::decide::{Draft, Moment, attempt, due, outflow};
use crate::event::Fact;
use crate::hex::hex;
use crate::id::{Actor, TaskId};
use crate::input::Input;
use crate::plan::Plan;
use crate::policy;
use crate::real::store::StoreError;
use crate::view::TaskView;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A plan, or none where making it failed (our bug): what is due by itself comes again, and must not end each new daemon.
fn guarded(make: impl FnOnce() -> Plan) -> Option<Plan> {
    catch_unwind(AssertUnwindSafe(make)).ok()
}

impl Daemon {
    /// What became possible or due: expired tasks, put-off starts, free slots, messages to send.
    pub(super) fn pump(&mut self, turned: &mut Turned) -> Result<(), StoreError> {
        if self.leaving || (!self.look.queue && !self.look.outbox && !self.health_is_due()) {
            return Ok(());
        }
        let now = self.moment();
        if self.look.queue {
            for id in self.store.expired(now.boot_ms, 100)? {
                self.decide_task(id, turned, due::expire)?;
            }
            for (id, is_start) in self.store.overdue(now.boot_ms)? {
                let is_aside = self.marks.set_aside.contains(&id);
                if is_aside || (is_start && self.marks.starts.may_begin(now.boot_ms) == 0) {
                    continue;
                }
                if is_start {
                    self.marks.starts.begun(now.boot_ms);
                }
                self.decide_task(id, turned, due::overdue)?;
            }
            self.dispatch(now, turned)?;
        }
        if self.health_is_due() {
            self.look_at_health(now, turned)?;
        }
        if self.look.outbox && self.ports.telegram.is_some() {
            self.send(now, turned)?;
        }
        // What sending put on record may be worth a look at once.
        self.look = Look { queue: false, outbox: false, health: self.look.health };
        let busy: Vec<i64> = self.sending.values().copied().collect();
        // A message can't be due while no call can begin: the end of a call looks again.
        let can_send = self.ports.telegram.is_some() && busy.len() < self.marks.outage.calls_at_once();
        let message = if can_send { self.store.next_message_due(&busy)? } else { None };
        let message = message.map(|due| due.max(self.next_call_ms()));
        let starts_from = self.marks.starts.until();
        let mut task = self.store.next_task_due(now.boot_ms, starts_from)?;
        // Those that wait for their turn in the queue are claimed then.
        task = [task, Some(starts_from).filter(|at| *at > now.boot_ms)].into_iter().flatten().min();
        if !self.marks.set_aside.is_empty() {
            // Theirs are over and stay so: the others' must not be looked for without a pause.
            task = task.map(|due| due.max(now.boot_ms + policy::SET_ASIDE_LOOK_MS));
        }
        self.next_due = [task, message].into_iter().flatten().min();
        Ok(())
    }

    pub(super) fn decide_task(
        &mut self,
        id: TaskId,
        turned: &mut Turned,
        decide: impl FnOnce(&mut Draft<'_>, &TaskView),
    ) -> Result<(), StoreError> {
        if self.marks.set_aside.contains(&id) {
            return Ok(());
        }
        let now = self.moment();
        let view = self.store.view()?;
        let Some(task) = self.store.task(id)? else { return Ok(()) };
        let config = self.config.clone();
        let plan = guarded(|| {
            let mut draft = Draft::new(&config, &view, now);
            decide(&mut draft, &task);
            draft.done()
        });
        let plan = plan.unwrap_or_else(|| {
            self.marks.set_aside.insert(id);
            let mut draft = Draft::new(&config, &view, now);
            let what = "what time does to it could not be decided: it is left alone until the next start".to_owned();
            draft.record(Some(&task), None, Actor::System, Fact::Violation { what });
            draft.done()
        });
        self.apply(plan, now, turned)
    }

    /// Claims free slots: of the machine, and of each group.
    pub(super) fn dispatch(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        if self.marks.draining || self.store.view()?.mode() == Mode::Readonly || self.disk_is_low(turned)? {
            return Ok(());
        }
        let running: BTreeMap<String, u32> = self.store.running_by_group()?.into_iter().collect();
        let free = self.config.running_max.saturating_sub(running.values().sum());
        let mut free = free.min(self.marks.starts.may_begin(now.boot_ms));
        // A group that was renamed or removed while tasks of it waited runs them one after the other.
        let mut groups: BTreeMap<String, u32> =
            self.store.queued_groups()?.into_iter().map(|group| (group, 1)).collect();
        groups.extend(self.config.kinds.values().map(|kind| (kind.group.clone(), kind.concurrency)));
        // Whoever has waited longest goes first: by name, a busy group would keep the last slots from the others for ever.
        let mut waiting = Vec::with_capacity(groups.len());
        for (group, concurrency) in groups {
            let first = self.claimable(&group, now, 1)?.pop();
            waiting.extend(first.map(|id| (id, group, concurrency)));
        }
        waiting.sort();
        for (_, group, concurrency) in waiting {
            let mut room = concurrency.saturating_sub(running.get(&group).copied().unwrap_or(0)).min(free);
            while room > 0 {
                let before = room;
                let ids = self.claimable(&group, now, room)?;
                for id in &ids {
                    let mut claimed = false;
                    self.decide_task(*id, turned, |draft, task| claimed = attempt::claim(draft, task))?;
                    if claimed {
                        self.marks.starts.begun(now.boot_ms);
                        room -= 1;
                    }
                }
                free -= before - room;
                // Whatever was not claimed has left the queue: those behind it may have the room.
                let more = room > 0 && ids.len() == before as usize;
                if !more || self.claimable(&group, now, 1)?.first() == ids.first() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The next tasks of a group that may be claimed, without those that are set aside.
    fn claimable(&self, group: &str, now: Moment, room: u32) -> Result<Vec<TaskId>, StoreError> {
        let aside = u32::try_from(self.marks.set_aside.len()).unwrap_or(u32::MAX);
        let mut ids = self.store.claimable(group, now.boot_ms, room.saturating_add(aside))?;
        ids.retain(|id| !self.marks.set_aside.contains(id));
        ids.truncate(room as usize);
        Ok(ids)
    }

    /// Removes the oldest events, a few in a turn, where the record is longer than it is to be. Not from the first turn, for
    /// which everybody waits, and not from one that has failed before: it may be the removal for which there is no room.
    pub(super) fn prune(&mut self, had_trouble: bool, turned: &mut Turned) -> Result<(), StoreError> {
        let now = self.moment();
        if had_trouble {
            self.record_look = RecordLook { not_before: now.boot_ms + policy::RECORD_LOOK_MS, due: None };
        }
        if self.leaving || !self.settled || now.boot_ms < self.record_look.not_before {
            // What was in the way may be over by what was recorded now, and nothing else may come for long.
            if !turned.events.is_empty() {
                let soonest = self.record_look.not_before;
                self.record_look.due = Some(self.record_look.due.map_or(soonest, |due| due.min(soonest)));
            }
            return Ok(());
        }
        let config = self.config.clone();
        self.record_look = match retention(&config.record, &self.store.record_row()?, now) {
            Retention::Remove { through, events, why } => {
                let hash = self.store.hash_of(through)?.unwrap_or_default();
                let hash = hex(&hash);
                let view = self.store.view()?;
                let mut draft = Draft::new(&config, &view, now);
                draft.record(None, None, Actor::System, Fact::Pruned { through, hash, events, why });
                let savepoint = self.store.savepoint()?;
                match self.apply(draft.done(), now, turned) {
                    Ok(()) => {
                        self.store.keep(savepoint)?;
                        let next = now.boot_ms + policy::RECORD_REMOVAL_PAUSE_MS;
                        RecordLook { not_before: next, due: Some(next) }
                    }
                    // Somebody has altered what stands there. That is for `verify-log` to tell, and no reason to end.
                    Err(StoreError::Misfit(error)) => {
                        tracing::error!(error, "the oldest events could not be removed");
                        self.store.take_back(savepoint)?;
                        RecordLook { not_before: now.boot_ms + policy::RECORD_LOOK_MS, due: None }
                    }
                    Err(error) => return Err(error),
                }
            }
            Retention::Wait(ms) => {
                let due = ms.map(|ms| now.boot_ms.saturating_add(ms.max(policy::RECORD_REMOVAL_PAUSE_MS)));
                let look = now.boot_ms + policy::RECORD_LOOK_MS;
                RecordLook { not_before: due.map_or(look, |due| due.min(look)), due }
            }
        };
        Ok(())
    }

    pub(super) fn disk_is_low(&mut self, turned: &mut Turned) -> Result<bool, StoreError> {
        let Some(free) = self.ports.storage.free_bytes() else { return Ok(false) };
        let low = free < policy::DISK_RESERVE_BYTES;
        if low != self.marks.disk_low {
            self.marks.disk_low = low;
            let fact = if low { Fact::DiskLow { free } } else { Fact::DiskWell { free } };
            self.decide_one(&Input::Seen(fact), turned, Care::OneByOne)?;
        }
        Ok(low)
    }

    /// Boot clock, ms: no call begins before, whatever is due.
    fn next_call_ms(&self) -> i64 {
        self.marks.outage.until.max(self.last_call_ms + policy::SEND_GAP_MS)
    }

    /// Begins the next call: the most urgent one, one a chat at a time, spaced over all.
    pub(super) fn send(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        let full = self.sending.len() >= self.marks.outage.calls_at_once();
        if full || now.boot_ms < self.next_call_ms() {
            return Ok(());
        }
        let busy: Vec<i64> = self.sending.values().copied().collect();
        if let Some(row) = self.store.sendable(now.boot_ms, &busy)? {
            self.last_call_ms = now.boot_ms;
            let view = self.store.view()?;
            let task = row.task.map_or(Ok(None), |id| self.store.task(id))?;
            let config = self.config.clone();
            let plan = guarded(|| {
                let mut draft = Draft::new(&config, &view, now);
                outflow::send(&mut draft, &row, task.as_ref());
                draft.done()
            });
            let plan = plan.unwrap_or_else(|| {
                let mut draft = Draft::new(&config, &view, now);
                outflow::send_plain(&mut draft, &row, task.as_ref());
                draft.done()
            });
            self.apply(plan, now, turned)?;
        }
        Ok(())
    }
}
