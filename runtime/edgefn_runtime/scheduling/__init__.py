"""The decisions: snapshots and `now` in, values out. No clock, no socket, no event loop, no process in this package.

lifecycle   the lives of an instance and of a function, one enum each
autoscaler  how many instances a function has
cores       how the processors are shared out
ledger      what each revision takes of the memory, and what may start
admission   whether a request may wait, and when to come again
deadlines   when a call that comes now will have been answered
handover    how many calls an instance is handed ahead
keepalive   how long instances stay without work; starts ahead
backoff     how long a function that does not start is left alone
crashes     a circuit breaker for instances that die as they serve
failover    when deaths are blamed on the artifact
allowance   a rate limit: units a second, and a burst after a rest
"""
