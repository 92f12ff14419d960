"""Use cases: read, decide, do the outside work, write, commit. No service imports another."""
