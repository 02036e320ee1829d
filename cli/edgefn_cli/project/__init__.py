"""A project on the author's machine: scaffolded, built, watched.

workplace  where the user stands
scaffold   a new function's folder, from scaffolds/
register   its entry in edgefn.toml
building   a build: an order, its events, its result
compiler   the build child as a process
samples    what of a function's samples travels
live       one function kept live while it is edited
watching   changes of its folder, as they are saved
"""
