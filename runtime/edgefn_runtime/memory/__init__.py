"""The box's memory: what runs is counted, what may start is let in.

budget     acts on the memory ledger
footprint  what a process holds, from /proc
trim       the box's own free pages given back
"""
