-- Schema 4.

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
