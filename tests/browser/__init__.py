"""Tests that drive a headless Chromium, and the server they drive it against."""
