"""Bad in one way: the handler asks for more memory than it declared."""

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="20s", scale=(0, 1))
def hungry(mebibytes: int) -> int:
    """How many bytes it could have, every one of them written."""
    return len(b"\1" * (mebibytes * 2**20))
