"""The `edgefn` command, for developers. It talks to boxes over HTTP and to the compiler by a subprocess.

    __main__     the process: signals, exit codes
    app          the typer application
    options      options that several verbs share
    box_options  the options of a box as typer's
    environment  the environment of children
    request      the request of `edgefn invoke`
    verbs/       the verbs
    project/     scaffolded, built, watched
    boxes/       which box, by which way, with whose token
    display/     results, progress and errors

It never imports torch, an engine or a function's code, and it imports the box only to run one.
"""
