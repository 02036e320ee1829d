"""Pictures: what a handler is given for one.

image     `Image`, decoded only when pixels are asked for
decoder   encoded bytes from outside: recognised, bounded, decoded
geometry  crops and scales, without pixels
"""
