"""Picture files by their bytes, before any pixel is decoded.

formats  kinds of pictures by their first bytes, read and not read
plugins  Pillow's plugins, one for each format
jpeg     JPEG files cut short
png      PNG files by their chunks
tiff     what Pillow reads of a TIFF that is not its picture
bigtiff  the BigTIFFs of big-endian machines
webp     the size of a WebP before Pillow allocates it
"""
