"""The box's disk: blobs by digest, the database of revisions and routes, and the home that holds them.

    home           the directory, its token and lock
    ownership      the owner of a home, and the other users that could reach into it
    disk           every change of the disk, through one seam
    uncancellable  changes that run to their end when their caller is cancelled
    trees          removing folders, whatever is in them
    blobs          the parts of bundles, by digest
    database       revisions, history, routes and grants
    schema         its tables
    tokens         named tokens, as hashes
    revision       a revision, as the host has it
    record         the state of a folder's files when it was made
    harvest        the files that a confined child wrote, taken as hostile
    vault          the box's secrets
    sealing        how secrets are encrypted

Every write goes through `disk.Disk`, so that a test can cut the power at any one of them. Nothing here decides what
is deployed, and nothing runs a bundle's code.
"""
