"""What tests use.

backends    what every backend must hold
lowerings   what every lowering must hold
reference   the network that they are tried with
"""
