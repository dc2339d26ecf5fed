"""From Discord to the archive: planner, backfill, sync, live, and the events that they report."""
