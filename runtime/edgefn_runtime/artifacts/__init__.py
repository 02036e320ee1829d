"""A function's artifacts on this box: which can run, which one serves; finished and proved here.

artifact_status  how they stand: data, and what it comes to for each
ranking          PURE: which can run, and which one serves
quarantine       those that broke while they served
changes          what has changed of the machine since the last start
finishing        finished artifacts on their way to their places
background       what deployed functions lack is finished behind them
order            which artifacts a finisher is asked for
proof            what it found out, as `proof.json`
inputs           what they are finished from, as hashes
reuse            finished artifacts of other revisions, linked
explanation      why a function is served with the ones it is
advice           PURE: what would make it faster here
finish/          finished and proved by a process that is confined
"""
