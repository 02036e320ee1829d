"""Keep-alive policies replayed on traces: cold starts against memory. `python -m benchmarks.keepalive`."""
