"""What this user knows of boxes: how each is reached, and whose token it gets.

addresses    URLs: compared, and told apart by whether they leave this machine
logins       the boxes that somebody logged in to, in the user's configuration folder
local        the box of this user on this machine, and its socket
certificate  a box's own certificate: fetched, shown, and trusted alone
"""
