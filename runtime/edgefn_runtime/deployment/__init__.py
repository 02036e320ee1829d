"""The way of a bundle: verified, unpacked, finished, proved, started, committed, served.

    deployments   the deployed functions, and every change of them
    transaction   one change: a deployment, a rollback, a removal
    locks         one change of a function at a time
    gc_lock       installing and collecting garbage exclude each other
    shared        work with several waiters, done once
    chains        which artifacts of what is deployed serve, and which take over
    repair        files of deployed functions made whole again
    catalogue     the database's entries as revisions
    installation  a revision's files on this box's disk
    unpacking     a bundle's layers as one folder, whole or not there
    background    finishing the artifacts that deployed functions lack, one by one
    answers       the handler's answers on this box, compared with eager's
    retention     PURE: which deployments of a function stay
    garbage       removing what no deployment needs
    checks/       the conditions for a bundle

Before the commit the old revision serves, after it the new one does; a power cut at any instruction leaves
one or the other. Nothing here imports an engine or a line of a user's code: children do, and report.
"""
