"""Pictures: what a handler is given for one.

image        `Image`, decoded only when pixels are asked for
options      `picture(...)`, how a parameter's picture is read
decoder      encoded bytes from outside: recognised, bounded, decoded
encoder      pixels to a file, and what each format holds
geometry     crops and scales, without pixels
orientation  EXIF orientation, and pictures put upright
modes        from one of Pillow's modes to another, without changing what is seen
wide         pixels of more than 8 bits, by NumPy
memory       what a picture needs decoded, and what there is
faults       what is wrong with a sender's picture, in words
blame        whether a broken picture is the caller's fault or the author's
files/       picture files by their bytes
"""
