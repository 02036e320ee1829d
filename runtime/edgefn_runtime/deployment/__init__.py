"""The road of a bundle: verified, unpacked, finished, proved, started, committed, served.

Before the commit the old revision serves, after it the new one does; a power cut at any instruction leaves
one or the other. Nothing here imports an engine or a line of a user's code: children do, and report.
"""
