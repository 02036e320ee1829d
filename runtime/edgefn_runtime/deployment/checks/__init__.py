"""The conditions that a bundle must meet before a box takes it.

admission      as it lies in the blob store, before a byte is unpacked
maxima         PURE: the most that a box takes, whatever its author wrote
compatibility  Python, platform, wheels, memory, devices, artifacts
devices        whether the devices it asks for are here
permissions    the permissions that it asks for beyond its sandbox, and those granted
"""
