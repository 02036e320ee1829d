"""How an artifact of a bundle becomes one that serves on this box: finished and proved by a process that is confined.

confined   the box's side of it: asked for, one process for each artifact, and what it wrote taken over as hostile
request    what the process is asked for, and its bounds, by the artifact's size and what its backend declares
verdict    whether the proofs of a bundle's artifacts let it be served
"""
