-- Schema 4. It has kinds of event that a program of schema 3 can not read.

-- The oldest events may go, once an event says up to where (Fact::Pruned, which sets pruned_through); no others ever do.
DROP TRIGGER events_are_not_removed;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'pruned_through'), 0)
BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END;
