"""Names that stand for several targets at once. Pure: no machine is looked at here."""

from __future__ import annotations

ALL_NATIVE = "all-native"
"""Every target that the machine at hand can run itself."""

GROUPS = (ALL_NATIVE,)
