"""What parent and child say to each other: bytes in, messages out. No sockets, no clocks, no processes here.

Two kinds of Unix socketpair carry it:

    control   SOCK_SEQPACKET, one packet a message, with file descriptors: box ↔ zygote, box ↔ template
    channel   SOCK_STREAM, frames (header and raw body): box ↔ instance
"""
