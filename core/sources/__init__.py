"""Bytes or network in, values out. Knows nothing of the database."""
