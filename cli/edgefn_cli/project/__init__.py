"""A project on the author's machine: scaffolded, built, watched.

workplace  the project around the working directory
scaffold   a new function's folder, from scaffolds/
register   its entry in edgefn.toml
building   a build: an order, its events, its result
compiler   the build child as a process
samples    which parts of a function's samples a bundle carries
live       one function kept live while it is edited
watching   changes of its folder and of shared packages, as they are saved
"""
