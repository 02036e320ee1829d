"""One file per verb: what it takes, what it calls, what it prints. No verb imports another."""
