"""A function's artifacts on this box: which can run, which one serves; finished and proved here.

capability       what this box can run
artifact_status  the state of each artifact
ranking          PURE: which can run, and which one serves
quarantine       those that broke while they served
changes          changes of the machine since the last start
finishing        moving finished artifacts to their places
order            the order for a finisher: which artifacts
proof            a finisher's result, as `proof.json`
inputs           hashes of the files that artifacts are finished from
reuse            finished artifacts of other revisions, linked
explanation      why a function is served with its present artifacts
advice           PURE: what would make it faster here
finish/          finishing and proving by a confined process
"""
