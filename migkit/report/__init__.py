"""From evidence to a report that somebody else can sign, and the archive of all reports."""
