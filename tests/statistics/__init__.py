"""Simulations that hold the statistics to the figures of the design."""
