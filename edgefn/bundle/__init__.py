"""Bundles, what a build hands to a box: config, manifest, layers, archives, wheels, layout.

Both sides import this room: the build machine writes with it, the box reads with it. It must never import
torch, an engine or a line of the user's code.
"""
