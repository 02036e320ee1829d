"""The admin API as types: the box makes them, OpenAPI describes them, the CLI and the metrics read them.

A reader skips members that it does not know, and has a default for each that an older box may lack: so each names
only what identifies it without one. What is not said of a thing is UNSET, and left out of the JSON.

routes       each route: its path, what it takes, what it answers
functions    FunctionStatus: a deployed function, its processes and its traffic
specs        the function itself, as its author declared it
artifacts    the artifacts of a function on this box
explanations why it is served with those, and what would make it faster
boxes        BoxInfo: the box, its hardware, and what it cannot run
deployments  what a deployment takes, and its events
grants       what functions may have beyond their sandbox
tokens       who may talk to the box
secrets      the names of what the box keeps sealed
audit        who did what
problems     errors, as RFC 9457 has them, and the exceptions that they stand for
scalars      texts and numbers of a form of their own
"""
