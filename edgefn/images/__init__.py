"""Pictures: what a handler is given for one.

image        `Image`, decoded only when pixels are asked for
options      `picture(...)`, how a parameter's picture is read
decoder      encoded bytes from outside: recognised, bounded, decoded
formats      kinds of pictures by their first bytes, read and not read
plugins      Pillow's plugins, one for each format
faults       what is wrong with a sender's picture, in words
jpeg         JPEG files cut short
png          PNG files by their chunks
tiff         what Pillow reads of a TIFF that is not its picture
bigtiff      the BigTIFFs of big-endian machines
webp         the size of a WebP before Pillow allocates it
memory       what a picture needs decoded, and what there is
modes        from one of Pillow's modes to another, without changing what is seen
wide         pixels of more than 8 bits, by NumPy
orientation  EXIF orientation, and pictures put upright
encoder      pixels to a file, and what each format holds
geometry     crops and scales, without pixels
blame        whether a broken picture is the caller's fault or the author's
"""
