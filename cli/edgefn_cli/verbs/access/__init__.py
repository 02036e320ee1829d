"""Verbs about who may talk to a box.

login  on the user's machine: the boxes that are known, and the token that each gets
token  on the box: named tokens with scopes
"""
