"""The road of a bundle: verified, unpacked, finished, proved, started, committed, served.

    deployments   what is deployed, and every change of it
    transaction   one change: a deployment, a rollback, a removal
    locks         who may change a function: one at a time
    gc_lock       installing and collecting garbage exclude each other
    shared        work that several wait for, done once
    catalogue     the database's entries as revisions
    installation  a revision's files on this box's disk
    unpacking     a bundle's layers as one folder, whole or not there
    answers       the handler's answers on this box, against eager's
    host          who serves revisions: the seam to the supervisor
    progress      the events of a deployment
    retention     PURE: which deployments of a function stay
    garbage       what no deployment needs is removed
    checks/       what a bundle must be before a box takes it

Before the commit the old revision serves, after it the new one does; a power cut at any instruction leaves
one or the other. Nothing here imports an engine or a line of a user's code: children do, and report.
"""
