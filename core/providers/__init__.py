"""What predicts and trains. Knows nothing of the database."""
