"""The verbs of the command, by what they act on. Each module has a verb's options, calls and output.

function/  functions on a box
project/   a project on the author's machine
box/       a box itself
"""
