"""Hostile hand-ins, one folder each, and the runner that shows whether they are defeated."""
