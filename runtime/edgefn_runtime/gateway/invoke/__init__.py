"""A request's way to a function and back.

connection  a client's connection, bounded; upgrade, offers of another protocol
direct      the short way: a request that is whole is called at once
invocation  one call to the function's pool, as ASGI too; exchange, its id, its answer, its count
timeout     how long the caller waits
forwarding  where the client sees the box; redirect, to a function's clean path
"""
