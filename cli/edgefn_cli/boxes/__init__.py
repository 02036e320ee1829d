"""Boxes, as the command reaches them: which one, by which way, with whose token.

discovery    which box a verb talks to
addresses    URLs: compared, and told apart by whether they leave this machine
logins       the boxes that the user logged in to, in the user's configuration folder
local        the box of this user on this machine, and its socket
local_box    a box of our own, as a child process: for `edgefn dev`
certificate  a box's own certificate: fetched, shown, and trusted alone
reach        from --box to a client
client       a box's HTTP API as Python calls
connection   one connection pool to one box
received     an answer, read within bounds
shipping     a bundle's way onto a box
"""
