"""Gives more than a client may want to read."""

from edgefn import edge_function


@edge_function(memory="256MiB", scale=(0, 1), concurrency=1)
def generous(mebibytes: int) -> bytes:
    """So many zero bytes."""
    return bytes(mebibytes * 2**20)
