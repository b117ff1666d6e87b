-- Schema 1. `events` is the record; every other table is its sum and can be rebuilt from it.
-- Times: *_ms and `at` are wall clock (ms since 1970, display); until, due, not_before, next, alarm are ms of the boot clock
-- of the boot in the newest row of `epochs`.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each daemon that took over. The newest one owns the database: every write checks it.
CREATE TABLE epochs (
    epoch   INTEGER PRIMARY KEY NOT NULL,
    boot    TEXT NOT NULL,
    boot_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    version TEXT NOT NULL,
    config  TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY NOT NULL,
    at      INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,
    trace   TEXT NOT NULL,
    task    INTEGER,
    attempt INTEGER,
    actor   TEXT NOT NULL,
    kind    TEXT NOT NULL,
    data    TEXT NOT NULL,
    hash    BLOB NOT NULL          -- SHA-256 over the previous hash and this row
) STRICT;
CREATE INDEX events_by_task ON events (task) WHERE task IS NOT NULL;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;
-- REPLACE removes without asking the trigger below.
CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;

-- Natural keys of what was taken up: m:<bot>:<chat>:<message>, q:<callback query>, l:<client's key>.
CREATE TABLE seen (
    key  TEXT PRIMARY KEY NOT NULL,
    task INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    bot      INTEGER PRIMARY KEY NOT NULL,
    next     INTEGER,
    username TEXT NOT NULL
) STRICT;

CREATE TABLE tasks (
    id           INTEGER PRIMARY KEY NOT NULL,
    kind         TEXT NOT NULL,
    prompt       TEXT NOT NULL,
    state        TEXT NOT NULL,    -- no CHECK: an older daemon must be able to open a database that knows more states
    heavy        INTEGER NOT NULL,
    grp          TEXT NOT NULL,
    requester    TEXT NOT NULL,
    chat         INTEGER,
    thread       INTEGER,
    message      INTEGER,
    trace        TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    ended_ms     INTEGER,
    attempt      INTEGER NOT NULL DEFAULT 0,
    attempt_base INTEGER NOT NULL DEFAULT 0,  -- attempts before the last /recover: they do not count against max_attempts
    outcome      TEXT,
    exit_code    INTEGER,
    signal       INTEGER,
    evidence     TEXT NOT NULL DEFAULT '',
    plan         TEXT,
    review       TEXT,             -- JSON: hash, pass, code, by
    until        INTEGER NOT NULL, -- time to live of the waiting states
    not_before   INTEGER NOT NULL DEFAULT 0,
    rerun_of     INTEGER,
    card         INTEGER           -- its row in the outbox
) STRICT;
CREATE INDEX tasks_queued ON tasks (grp, id) WHERE state = 'QUEUED';
CREATE INDEX tasks_running ON tasks (id) WHERE state = 'RUNNING';
CREATE INDEX tasks_waiting ON tasks (until) WHERE state IN ('REQUESTED', 'APPROVED', 'QUEUED');
CREATE INDEX tasks_by_state ON tasks (state, id);
CREATE INDEX tasks_ended ON tasks (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX tasks_by_trace ON tasks (trace);

-- How many tasks are in each state: so that counting does not grow with history.
CREATE TABLE tallies (
    state TEXT PRIMARY KEY NOT NULL,
    n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
    task     INTEGER NOT NULL,
    approver TEXT NOT NULL,
    hash     TEXT NOT NULL,
    note     TEXT NOT NULL,
    until    INTEGER NOT NULL,
    PRIMARY KEY (task, approver)
) STRICT, WITHOUT ROWID;

-- Whatever tells whether something is alive stands with the attempt, never with the task.
CREATE TABLE attempts (
    task         INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    nonce        TEXT NOT NULL,
    hash         TEXT NOT NULL,
    claimed_ms   INTEGER NOT NULL,
    boot         TEXT,             -- the shim's identity; none until it was ready
    pid          INTEGER,
    start        INTEGER,
    start_tries  INTEGER NOT NULL DEFAULT 0,
    start_due    INTEGER,
    stop_by      TEXT,
    stop_alarm   INTEGER,
    stop_overdue INTEGER NOT NULL DEFAULT 0,
    progress     TEXT,
    ended_ms     INTEGER,
    ran_ms       INTEGER,
    PRIMARY KEY (task, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id      INTEGER PRIMARY KEY NOT NULL,
    class   INTEGER NOT NULL,      -- order of sending
    chat    INTEGER NOT NULL,
    task    INTEGER,
    what    TEXT NOT NULL,
    state   TEXT NOT NULL,         -- pending, sending, sent, refused
    version INTEGER NOT NULL,      -- raised with every change of a card
    sending INTEGER NOT NULL DEFAULT 0,  -- the version under way, or last tried
    tries   INTEGER NOT NULL DEFAULT 0,
    due     INTEGER NOT NULL DEFAULT 0,
    marked  INTEGER NOT NULL DEFAULT 0,  -- an earlier try may have arrived
    message INTEGER,               -- its id, once Telegram told
    error   TEXT,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_pending ON outbox (class, id) WHERE state = 'pending';
CREATE INDEX outbox_sending ON outbox (id) WHERE state = 'sending';
CREATE INDEX outbox_unsettled ON outbox (id) WHERE state <> 'sent';

CREATE TABLE chats (
    chat   INTEGER PRIMARY KEY NOT NULL,
    next   INTEGER NOT NULL DEFAULT 0,   -- no message before this
    parked INTEGER NOT NULL DEFAULT 0    -- it refused us; messages wait
) STRICT;

CREATE TABLE buttons (
    nonce   TEXT PRIMARY KEY NOT NULL,
    task    INTEGER,
    action  TEXT NOT NULL,
    hash    TEXT NOT NULL,
    chat    INTEGER NOT NULL,
    user    INTEGER,               -- the only one who may; none: whoever has the role
    text    TEXT,                  -- the late command that it confirms
    message INTEGER,
    until   INTEGER NOT NULL,
    used_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX buttons_by_task ON buttons (task) WHERE task IS NOT NULL;
CREATE INDEX buttons_by_until ON buttons (until);
