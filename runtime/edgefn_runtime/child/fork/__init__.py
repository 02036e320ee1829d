"""The zygote and its forks: how a child is made fast, and dies with the box.

zygote    the process that all templates are forked from
prefork   the child that it keeps ahead
forks     its forks, each in a PID namespace of its own
clone     fork() whose child is our parent's
process   how a child comes to life, bound to die with the box
groups    its way into its control groups
programs  no program is started any more
heap      malloc's free memory before a fork
pages     pages of libraries, mapped at once
"""
