-- Schema 5: an attempt that ran when a back-up was made, and that back-up was put back. What the record says of it may be
-- out of date, so nothing follows from its end by itself. An older daemon may go on with the database: the event that sets
-- this raises what one has to know (Store::mark_restored).
ALTER TABLE attempts ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
