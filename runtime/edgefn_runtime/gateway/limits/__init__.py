"""What clients may take of the box, each bound for one of them and for all together.

heads    a request's head: its size, and what RFC 9112 calls ambiguous
bodies   all bodies together; who is cut when they are too many
places   connections: all, by address, and those kept for health and the admin API
backlog  parsing in turns, so that no client stops the others
discards what is read only to be thrown away, by all together
process  what the kernel and the C library are asked for it
"""
