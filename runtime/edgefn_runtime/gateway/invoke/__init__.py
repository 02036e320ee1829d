"""A request's way to a function and back.

connection  a client's connection, bounded; cycle, one request on it; upgrade, offers of another protocol
incoming    the bytes that come in: parsed in turns, and in time
outgoing    the bytes that go out: unread answers, and the last answer before the end
direct      the short way: a request is called when its last byte is there
invocation  one call to the function's pool, as ASGI too; exchange, its id, its answer, its count
timeout     how long the caller waits
forwarding  where the client sees the box; redirect, to a function's clean path
"""
