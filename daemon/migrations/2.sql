-- Schema 2.

-- Boot clock, ms: when an attempt must have ended.
ALTER TABLE attempts ADD COLUMN stale_at INTEGER;
