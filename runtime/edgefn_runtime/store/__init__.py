"""What is on the box's disk: blobs by digest, the database of revisions and routes, the home they live in.

Every write goes through `disk.Disk`, so that power may be cut at any one of them. Nothing here decides what
is deployed, and nothing runs a bundle's code.
"""
