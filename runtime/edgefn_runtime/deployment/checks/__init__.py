"""What a bundle must be before a box takes it.

admission      as it lies in the blob store, before a byte is unpacked
maxima         PURE: the most that a box takes, whatever its author wrote
compatibility  Python, platform, wheels, memory, devices, artifacts
devices        whether the devices it asks for are here
permissions    what it asks for beyond its sandbox, and what was granted
"""
