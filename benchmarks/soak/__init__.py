"""Many requests of several kinds on one box while faults are done to it: none lost, none wrong, no memory kept."""
