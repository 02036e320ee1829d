"""Targets: the hardware profiles that a model can be lowered for, one TOML file each.

profile    what a profile says, as data, and how a target is written
reading    a profile's file, read and checked
profiles   which ones there are: edgefn's own, and a project's
groups     targets as edgefn.toml and the command line name them
facts      what this machine is, for the matcher
features   the CPU flags that profiles may ask for
matcher    PURE: whether a machine can run a target, and why not
needs      what an artifact asks of the machine that runs it
probe      whether an engine can work on this machine
platforms  the Python platforms that wheels are taken for
"""
