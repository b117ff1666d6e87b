-- Schema 2.

-- Boot clock, ms: when an attempt must have ended.
ALTER TABLE attempts ADD COLUMN stale_at INTEGER;

-- A task's cards outside its own chat: with approvers who would not see it otherwise.
CREATE TABLE copies (
    task INTEGER NOT NULL,
    chat INTEGER NOT NULL,
    card INTEGER NOT NULL,         -- its row in the outbox
    PRIMARY KEY (task, chat)
) STRICT, WITHOUT ROWID;

-- Who wrote the plan.
ALTER TABLE tasks ADD COLUMN plan_by TEXT;
UPDATE tasks SET plan_by =
    (SELECT actor FROM events WHERE kind = 'planned' AND events.task = tasks.id ORDER BY seq DESC LIMIT 1)
WHERE plan IS NOT NULL;
