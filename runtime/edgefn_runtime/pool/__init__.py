"""One revision's calls and instances: who waits, who is served, how many there are.

    pool               calls in, to the least loaded instance, scaled as they wait
    call               one request on its way through the box
    admission_control  who may come in, who waits, what is said to who may not
    queue              the calls that wait, the earliest deadline first
    dispatcher         the instances: who gets the next call
    starts             instances brought to life, and pauses after failures
    timeouts           calls watched once they are late, failed when their time is up
    keepalive          acts on `scheduling.keepalive`: idle times, starts ahead
    cores              what instances use of the processors, and how that bounds the scale
    batching           what instances have measured of batching
    answers            the memory that unfinished answers may take
    artifact_errors    an artifact that turns out to be broken as it is loaded
    trial              a confined instance that is asked about its answers and serves nobody

It carries out what `scheduling` decides and never imports an engine, torch or a user's code.
"""
