"""The OCI image layout that a bundle is.

layout       the directory: on a build machine, a USB stick, a box
index        which manifest each function's name stands for
manifest     how one is composed, and what is accepted when one is read
descriptors  PURE: digests, and the descriptors that name blobs
blobs        files named by their content, hash-checked on the way in and out
"""
