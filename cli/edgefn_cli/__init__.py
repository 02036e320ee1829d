"""The `edgefn` command: what a developer types. It talks to boxes over HTTP and to the compiler by a subprocess.

    __main__     the process: signals, exit codes
    app          the typer application
    options      options that several verbs share
    box_options  the options of a box as typer's
    environment  what children get of ours
    request      what `edgefn invoke` sends
    verbs/       what it can do
    project/     scaffolded, built, watched
    boxes/       which box, by which way, with whose token
    display/     what it shows

It never imports torch, an engine or a function's code, and it imports the box only to run one.
"""
