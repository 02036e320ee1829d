"""The box's memory: running processes are counted, new ones are admitted.

budget       acts on the memory ledger
measurement  what running processes take
trim         the box's own free pages given back
"""
