-- Schema 3: what a new event and a new task cost. Nothing else is meant, and older daemons find what they name.

-- For an IN of three words SQLite builds a table each time it asks whether a row belongs into the index. A new task has an
-- answer before that; the IN stays, as the queries are matched with it.
DROP INDEX tasks_waiting;
CREATE INDEX tasks_waiting ON tasks (until)
WHERE state = 'REQUESTED' OR state IN ('REQUESTED', 'APPROVED', 'QUEUED');

-- FAIL refuses as ABORT does. But to be able to take back what an aborted statement has done, SQLite keeps a copy of every
-- page that it touches; here there is nothing to take back, as the trigger asks before the insertion. (An insertion that
-- names its own seq may abort all the same, as SQLite sees it.)
DROP TRIGGER events_are_not_replaced;
CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq)
BEGIN SELECT RAISE(FAIL, 'the record is append-only'); END;
