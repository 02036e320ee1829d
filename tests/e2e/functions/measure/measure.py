"""Looks at every pixel of a photo, so that a broken one cannot pass."""

from edgefn import Image, edge_function


@edge_function(memory="256MiB", max_body="1MiB")
def measure(image: Image) -> list[int]:
    """Width and height in pixels, and the mean of the red, green and blue."""
    pixels = image.array()
    return [*image.size, *pixels.mean(axis=(0, 1)).astype(int).tolist()]
