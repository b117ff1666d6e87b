-- Schema 4.

