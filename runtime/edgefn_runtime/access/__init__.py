"""Access to the box: callers, their tokens and their connections.

caller      a request's caller: name, scopes, address
scopes      what a token opens
tokens      the box's tokens, known by their hashes
rate        how often a token may be used
slowdown    wrong tokens: each costs its sender more time
doors       the checks themselves: the admin API's, and that of the callers of functions
tls         encryption; certificate, one that the box signs itself; handshakes, bounded
socket      the owner's way in: a socket file in the home, which needs no token
"""
