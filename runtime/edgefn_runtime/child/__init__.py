"""The child side: what runs in templates, instances and finishers.

    template       the parked process of a revision, which forks instances
    instance       the serving process: requests in, replies out
    program        a revision loaded: its handler imported, its models bound
    serving        one request: decode → handler → encode
    together       calls beside each other in one instance
    batcher        calls of a model gathered and run as one
    batching       PURE: when they are run, which of them, whether that pays
    comparing      one question about the handler's answers
    leak_detector  how memory grows from call to call
    warmup         requests played through before the first caller comes
    finisher       an artifact made fit for this machine, proved and timed
    channel        the instance's end of its socketpair
    control        the child's end of a control socket
    fork/          the zygote, and how a child is made
    sandbox/       what stands between code that is not trusted and the machine

Nothing here knows the gateway, the store or the pool: the wire's messages are all it sees of the box.
"""
