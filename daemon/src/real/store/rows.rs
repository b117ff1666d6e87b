//! Rows from columns: one list of columns and one reader a table.

use super::{Result, StoreError};
use crate::attempt::Identity;
use crate::id::{Actor, AttemptKey, TaskId};
use crate::view::{ApprovalRow, AttemptRow, ButtonRow, OutboxRow, TaskRow};
use rusqlite::Row;

pub(super) const TASK: &str = "id, kind, prompt, state, heavy, grp, requester, chat, thread, message, trace, created_ms, \
     ended_ms, attempt, attempt_base, outcome, exit_code, signal, evidence, plan, review, until, not_before, rerun_of, card, plan_by, \
     resumed_by, recovered_by, ended_by";

pub(super) fn task(r: &Row<'_>) -> Result<TaskRow> {
    Ok(TaskRow {
        id: TaskId(r.get(0)?),
        kind: r.get(1)?,
        prompt: r.get(2)?,
        state: parsed(r, 3)?,
        heavy: r.get(4)?,
        group: r.get(5)?,
        requester: parsed(r, 6)?,
        chat: r.get(7)?,
        thread: r.get(8)?,
        message: r.get(9)?,
        trace: r.get(10)?,
        created_ms: r.get(11)?,
        ended_ms: r.get(12)?,
        attempt: r.get(13)?,
        attempt_base: r.get(14)?,
        outcome: optional(r, 15)?,
        exit_code: r.get(16)?,
        signal: r.get(17)?,
        evidence: r.get(18)?,
        plan: r.get(19)?,
        review: json(r, 20)?,
        until: r.get(21)?,
        not_before: r.get(22)?,
        rerun_of: r.get::<_, Option<i64>>(23)?.map(TaskId),
        card: r.get(24)?,
        plan_by: optional(r, 25)?,
        resumed_by: optional(r, 26)?,
        recovered_by: optional(r, 27)?,
        ended_by: optional(r, 28)?,
    })
}

pub(super) const ATTEMPT: &str = "task, attempt, nonce, hash, claimed_ms, boot, pid, start, start_tries, start_due, stop_by, \
     stop_alarm, stop_overdue, progress, ended_ms, ran_ms, stale_at, restored";

pub(super) fn attempt(r: &Row<'_>) -> Result<AttemptRow> {
    let identity = match (r.get::<_, Option<String>>(5)?, r.get(6)?, r.get::<_, Option<i64>>(7)?) {
        (Some(boot), Some(pid), Some(start)) => Some(Identity { boot, pid, start: start.cast_unsigned() }),
        _ => None,
    };
    Ok(AttemptRow {
        key: AttemptKey { task: TaskId(r.get(0)?), attempt: r.get(1)? },
        nonce: r.get(2)?,
        hash: r.get(3)?,
        claimed_ms: r.get(4)?,
        identity,
        start_tries: r.get(8)?,
        start_due: r.get(9)?,
        stop_by: optional(r, 10)?,
        stop_alarm: r.get(11)?,
        stop_overdue: r.get(12)?,
        progress: r.get(13)?,
        ended_ms: r.get(14)?,
        ran_ms: r.get(15)?,
        stale_at: r.get(16)?,
        restored: r.get(17)?,
    })
}

pub(super) fn approval(r: &Row<'_>) -> Result<ApprovalRow> {
    Ok(ApprovalRow { approver: parsed::<Actor>(r, 0)?, hash: r.get(1)?, note: r.get(2)?, until: r.get(3)? })
}

pub(super) const OUTBOX: &str =
    "id, class, chat, task, what, state, version, sending, tries, due, marked, message, error, at";

pub(super) fn outbox(r: &Row<'_>) -> Result<OutboxRow> {
    Ok(OutboxRow {
        id: r.get(0)?,
        class: r.get(1)?,
        chat: r.get(2)?,
        task: r.get::<_, Option<i64>>(3)?.map(TaskId),
        what: json(r, 4)?.ok_or_else(|| StoreError::Damaged("an outbox row says nothing".into()))?,
        state: r.get(5)?,
        version: r.get(6)?,
        sending: r.get(7)?,
        tries: r.get(8)?,
        due: r.get(9)?,
        marked: r.get(10)?,
        message: r.get(11)?,
        error: r.get(12)?,
        at: r.get(13)?,
    })
}

pub(super) const BUTTON: &str = "nonce, task, action, hash, chat, user, text, message, until, used_by";

pub(super) fn button(r: &Row<'_>) -> Result<ButtonRow> {
    Ok(ButtonRow {
        nonce: r.get(0)?,
        task: r.get::<_, Option<i64>>(1)?.map(TaskId),
        action: r.get(2)?,
        hash: r.get(3)?,
        chat: r.get(4)?,
        user: r.get(5)?,
        text: r.get(6)?,
        message: r.get(7)?,
        until: r.get(8)?,
        used_by: optional(r, 9)?,
    })
}

fn parsed<T: std::str::FromStr<Err = String>>(r: &Row<'_>, column: usize) -> Result<T> {
    super::text(r, column)?.parse().map_err(StoreError::Damaged)
}

fn optional<T: std::str::FromStr<Err = String>>(r: &Row<'_>, column: usize) -> Result<Option<T>> {
    if r.get_ref(column)?.data_type() == rusqlite::types::Type::Null { Ok(None) } else { parsed(r, column).map(Some) }
}

fn json<T: serde::de::DeserializeOwned>(r: &Row<'_>, column: usize) -> Result<Option<T>> {
    match r.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text).map(Some).map_err(|e| StoreError::Damaged(e.to_string())),
    }
}
