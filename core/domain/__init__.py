"""Pure decisions: values in, values out. No I/O, clock, randomness without a seed, or ORM."""
