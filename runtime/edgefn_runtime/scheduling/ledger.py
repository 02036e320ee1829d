"""What the functions of a box may use of its memory: figures in bytes in, decisions out."""

from __future__ import annotations

PROCESS_BYTES = 16 * 2**20
"""What the kernel itself counts to a process beyond what it allocates: page tables, pipes, stacks, small files."""


def most_bytes(template_bytes: int, file_bytes: int, memory_bytes: int, instances: int) -> int:
    """What a function's processes may use together: its template, its `instances` at most, and the files it maps."""
    return template_bytes + file_bytes + instances * memory_bytes + (1 + instances) * PROCESS_BYTES
