"""Rooms: sandboxed processes that run cells, and what may cross between them."""
