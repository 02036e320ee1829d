"""Bundles, what a build hands to a box: a config, layers, and what names them.

    config      what a bundle holds, as the box reads it
    documents   its JSON documents as bytes; bounded, checked reading
    schemas     JSON Schemas in the config, as far as a box works with them
    layers      which folder each layer holds, packed and described
    sources     which files of a folder go into a layer
    archive     deterministic tar archives: `pack` and `unpack`
    members     the members of a tar that may be hostile, one at a time
    references  files that several artifacts have alike, packed once
    readme      the first paragraph of README.md, for the box's OpenAPI
    oci/        the OCI image layout: blobs, manifest, index
    packages/   what requirements.txt needs, resolved for the box

Both sides import this room: the build machine writes with it, the box reads with it. It must never import
torch, an engine or a line of the user's code.
"""
