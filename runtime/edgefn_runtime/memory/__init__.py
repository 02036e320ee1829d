"""The box's memory: what runs is counted, what may start is let in.

room       acts on the memory ledger
footprint  what a process holds, from /proc
tidying    the box's own free pages given back
"""
