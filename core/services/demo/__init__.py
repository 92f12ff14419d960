"""Put the demo into an empty database, and take everything out again that came from it."""

from core.services.demo.loading import load_demo
from core.services.demo.removal import DemoLeftovers, demo_leftovers, remove_demo

__all__ = ["DemoLeftovers", "demo_leftovers", "load_demo", "remove_demo"]
