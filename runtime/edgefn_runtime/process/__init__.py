"""The child side: what runs in the zygote, in templates and in instances.

Nothing here knows the gateway, the store or the supervisor: the wire's messages are all it sees of the box.
"""
