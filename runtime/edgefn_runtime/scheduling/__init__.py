"""What decides: snapshots and `now` in, values out. No clock, no socket, no event loop, no process in this room."""
