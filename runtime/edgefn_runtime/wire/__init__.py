"""The protocol between parent and child: bytes in, messages out. No sockets, no clocks, no processes here.

    messages    the messages, as msgpack arrays
    frames      a message and a raw body on a byte stream
    call_board  memory that both share: how far an instance is

Two kinds of Unix socketpair carry it:

    control   SOCK_SEQPACKET, one packet a message, with file descriptors: box ↔ zygote, box ↔ template
    channel   SOCK_STREAM, frames (header and raw body): box ↔ instance
"""
