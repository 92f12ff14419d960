"""The read side: a session in, a DataFrame or a small value out."""
