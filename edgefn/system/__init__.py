"""What edgefn asks of the operating system itself, one subject a module.

    syscalls      calls that Python has no name for
    bpf           the instructions of a seccomp filter
    core_dumps    no core file, and no look into this process's memory
    file_opens    which files this process and its children open, as the kernel sees it
    hierarchy     where this process stands in the kernel's control groups
    signals       what a signal is called
    machine       the memory and the processors that this process may use
    nodes         device nodes, opened so that no link leads elsewhere
    subids        the users that a plain user may give to its children

Light: the box imports it in the zygote, so nothing here imports more than the standard library.
"""
