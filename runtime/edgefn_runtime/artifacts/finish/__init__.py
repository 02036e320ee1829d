"""How an artifact of a bundle becomes one that serves on this box: a confined process finishes and proves it.

confined   the box's side: one process for each artifact, whose files are taken over as hostile
request    the request to the process, and its bounds, by the artifact's size and its backend's needs
verdict    whether the proofs of a bundle's artifacts let it be served
"""
