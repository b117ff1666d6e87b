-- Schema 4. It has kinds of event that a program of schema 3 can not read.

-- The oldest events may go, once an event says up to where (Fact::Pruned, which sets pruned_through); no others ever do.
DROP TRIGGER events_are_not_removed;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_through'), 0)
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;

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
