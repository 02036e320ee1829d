"""What is on the box's disk: blobs by digest, the database of revisions and routes, the home they live in.

    home        the directory, its token and lock; ownership: whose it is, and who else could reach into it
    disk        every change of the disk, through one seam; patience: changes that go to their end
    blobs       what bundles are made of, by digest
    database    revisions, history, routes and grants; schema: its tables; revision: one of them, as the host has it
    vault       the box's secrets; sealing: how they are made unreadable

Every write goes through `disk.Disk`, so that power may be cut at any one of them. Nothing here decides what
is deployed, and nothing runs a bundle's code.
"""
