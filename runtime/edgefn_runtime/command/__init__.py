"""The verbs of `edgefn-box` beside running a box: for a machine that has the runtime extra alone.

verbs    token, info, files: the command line
owner    a request to this machine's box, by its socket
texts    an answer of the box as lines
shipped  files for the operator, in the wheel
"""

VERBS = {
    "token": "print the first token of this machine's box; token create, list, rotate and revoke named ones",
    "info": "show this machine's box: version, engines, targets, isolation, memory",
    "files": "show or copy systemd's units, the lock of a box's packages, and the operator's pages",
}
"""Each verb with its help; here, where `edgefn-box --help` gets it without the rest."""
