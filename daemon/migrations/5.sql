-- Schema 5. Its record can hold kinds of event that a program of schema 4 can not read: `released`, `restored`.
-- An attempt that ran when a back-up was made, and that back-up was put back: what the record says of it may be out of date, so
-- nothing follows from its end by itself.
ALTER TABLE attempts ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
