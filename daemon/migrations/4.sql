-- Schema 4. It has kinds of event that a program of schema 3 can not read.

-- The oldest events may go, once an event says up to where (Fact::Pruned, which sets pruned_through); no others ever do.
DROP TRIGGER events_are_not_removed;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_through'), 0)
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;

-- The newest event of polling, as the number of an event, which may go: now it is a copy. The next daemon sets it.
DELETE FROM meta WHERE key = 'poll';

-- Who pressed what, for cards and reports: who resumed the task, who asked for it again, and who rejected it or stopped it
-- before it ran. (Who wants a running attempt stopped stands with the attempt.) Asking again clears the other two.
ALTER TABLE tasks ADD COLUMN resumed_by TEXT;
ALTER TABLE tasks ADD COLUMN recovered_by TEXT;
ALTER TABLE tasks ADD COLUMN ended_by TEXT;
UPDATE tasks SET recovered_by =
    (SELECT actor FROM events WHERE kind = 'recovered' AND events.task = tasks.id ORDER BY seq DESC LIMIT 1);
UPDATE tasks SET
    resumed_by =
        (SELECT actor FROM events WHERE kind = 'resumed' AND events.task = tasks.id AND seq >
             (SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'recovered' AND events.task = tasks.id)
         ORDER BY seq DESC LIMIT 1),
    ended_by =
        (SELECT actor FROM events WHERE kind IN ('rejected', 'stopped') AND events.task = tasks.id AND seq >
             (SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'recovered' AND events.task = tasks.id)
         ORDER BY seq DESC LIMIT 1);

-- What is wrong and was told of: raised, and not over.
CREATE TABLE alerts (
    anomaly  TEXT NOT NULL,
    about    TEXT NOT NULL,        -- which one of its kind
    since_ms INTEGER NOT NULL,
    words    TEXT NOT NULL,
    told     INTEGER NOT NULL DEFAULT 0,  -- a message that says so was written
    PRIMARY KEY (anomaly, about)
) STRICT, WITHOUT ROWID;

-- How much of it there was in each ten minutes of the wall clock: so that counting the last day does not grow with it.
CREATE TABLE lately (
    slot INTEGER NOT NULL,         -- wall clock / 600000
    what TEXT NOT NULL,            -- an outcome, by the end of its task; expired_waiting, adopted: events
    n    INTEGER NOT NULL,
    PRIMARY KEY (slot, what)
) STRICT, WITHOUT ROWID;
INSERT INTO lately (slot, what, n)
SELECT ended_ms / 600000, outcome, count(*) FROM tasks WHERE ended_ms IS NOT NULL AND outcome IS NOT NULL GROUP BY 1, 2;
INSERT INTO lately (slot, what, n)
SELECT at / 600000, 'adopted', count(*) FROM events WHERE kind = 'adopted' GROUP BY 1;
INSERT INTO lately (slot, what, n)
SELECT at / 600000, 'expired_waiting', count(*) FROM events
WHERE kind = 'expired' AND data NOT LIKE '%["QUEUED"%' GROUP BY 1;

-- Nothing asks by this any more.
DROP INDEX tasks_ended;

-- Few rows: what nobody knows the end of is told of one by one.
CREATE INDEX tasks_unknown ON tasks (ended_ms) WHERE outcome = 'unknown';

-- The wall clock less the boot clock, as they stood when a daemon first started in this boot.
INSERT OR REPLACE INTO meta (key, value)
SELECT 'clock_base', wall_ms - boot_ms FROM epochs
WHERE boot = (SELECT boot FROM epochs ORDER BY epoch DESC LIMIT 1) ORDER BY epoch LIMIT 1;
