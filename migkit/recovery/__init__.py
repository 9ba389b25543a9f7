"""Taking it back: journals of steps, backups, restore, point in time, the read-only window."""
