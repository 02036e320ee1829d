"""The box's child processes, from the box's side: started, sent messages, watched, ended.

    zygote             the zygote, kept alive
    launch             its launch, before the rest of the box is imported
    launcher           where a revision's instances come from
    template           a revision's template
    instance           an instance: its channel, the calls it holds, its end
    finisher           a finisher: watched as it writes, bounded
    child              what all of them have: a pid and an end
    sockets            the socketpairs, and the pid of the child at the other end
    incoming           a large answer, collected in memory taken for the whole of it
    output             the output of functions on its way to their logs
    footprint          the memory that a process holds, from /proc
    users              the users that functions run as
    isolation          the layers that a box must enforce to take deployments
    processnamespaces  which child is in which PID namespace
    orphans            processes that a handler left behind

It never imports an engine, torch or a user's code.
"""
