"""One revision's calls and instances: which calls wait, which are served, how many instances there are.

    pool               calls in, to an instance with room, scaled as they wait
    admission_control  which calls enter, which wait, and how the others are refused
    queue              the calls that wait, the earliest deadline first
    dispatcher         the instances, and which of them gets the next call
    starts             starts of instances, and pauses after failures
    timeouts           calls watched once they are late, failed when their time is up
    keepalive          acts on `scheduling.keepalive`: idle times, starts ahead
    cores              what instances use of the processors, and how that bounds the scale
    batching           what instances have measured of batching
    trial              a confined instance that is asked about its answers and serves no call

It carries out what `scheduling` decides and never imports an engine, torch or a user's code.
"""
