-- Schema 4.

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
