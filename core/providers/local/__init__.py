"""The embedded model: trains on this machine's CPU in seconds, with no key and no download."""
