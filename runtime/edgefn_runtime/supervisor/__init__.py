"""What acts on processes: the zygote, templates and instances, seen from the box process.

It carries out what `scheduling` decides and never imports an engine, torch or a user's code.
"""
