"""What the command can do, by what it acts on: what a verb takes, calls and prints.

function/  functions on a box
project/   a project on the author's machine
box/       a box itself
"""
