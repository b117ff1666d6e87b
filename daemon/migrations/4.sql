-- Schema 4: kinds of event that a program of schema 3 can't read.

-- backed_up, backup_failed: no table changes by them.
