"""Bad in one way: the handler raises, with something in the message that is no caller's business."""

from edgefn import edge_function


@edge_function(memory="64MiB")
def raises(word: str) -> str:
    """Raises always."""
    raise ValueError(f"the secret word is {word}")
