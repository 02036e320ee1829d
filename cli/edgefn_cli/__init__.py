"""The `edgefn` command: what a developer types. It talks to boxes over HTTP and to the compiler by a subprocess.

    __main__   the process: signals, exit codes          app       the typer application, one verb a file in verbs/
    discovery  which box, whose token                    client    the admin API and invocations, over httpx
    boxes/     logins, this machine's box, certificates  output    results on stdout, prose on stderr
    building   the build child and its events            shipping  a bundle's way onto a box
    environment  what children get of ours               failures  errors as one line, or as problem+json

It never imports torch, an engine or a function's code, and it imports the box only to run one.
"""
