"""Bounds for clients of the box, each for one of them and for all together.

heads    a request's head: its size, and what RFC 9112 calls ambiguous
bodies   all bodies together; which client is cut off when they are too large
places   connections: all, by address, and those kept for health and the admin API
backlog  parsing in turns, so that no client stops the others
discards bytes that are read only to be thrown away, of all clients together
process  settings of the kernel and the C library for many clients
"""
