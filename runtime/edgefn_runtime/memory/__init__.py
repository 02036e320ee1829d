"""The box's memory: running processes are counted, new ones are admitted.

budget     acts on the memory ledger
footprint  what a process holds, from /proc
trim       the box's own free pages given back
"""
