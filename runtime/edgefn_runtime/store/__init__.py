"""What is on the box's disk: blobs by digest, the database of revisions and routes, the home they live in.

    home           the directory, its token and lock
    ownership      whose it is, and who else could reach into it
    disk           every change of the disk, through one seam
    uncancellable  changes that go to their end, whoever is cancelled
    trees          folders removed, whatever is in them
    blobs          what bundles are made of, by digest
    database       revisions, history, routes and grants
    schema         its tables
    tokens         named tokens, as hashes
    revision       a revision, as the host has it
    record         what a folder's files were when it was made
    harvest        what a confined child wrote, taken as hostile
    vault          the box's secrets
    sealing        how they are made unreadable

Every write goes through `disk.Disk`, so that power may be cut at any one of them. Nothing here decides what
is deployed, and nothing runs a bundle's code.
"""
