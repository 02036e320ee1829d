"""What edgefn asks of the operating system itself, one subject a module.

    machine        the memory and the processors that this process may use
    cgroup_mounts  where this process stands in the kernel's control groups
    durable        files that are whole or not there, whenever the power is cut
    file_opens     which files this process and its children open, as the kernel sees it
    nodes          device nodes, opened so that no link leads elsewhere
    core_dumps     no core file, and no look into this process's memory
    subids         the users that a plain user may give to its children
    syscalls       calls that Python has no name for
    bpf            the instructions of a seccomp filter
    signals        what a signal is called

Light: the box imports it in the zygote, so nothing here imports more than the standard library.
"""
