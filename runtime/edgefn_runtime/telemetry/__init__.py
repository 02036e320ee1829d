"""Observation of a box while it runs: functions' logs, metrics, the audit log.

logs         the output of functions: written, and sent to followers
buffer       records between `write` and the disk
logfile      one log on disk, rotated
record       one record as text
follower     a reader that waits for records
metrics      the figures for Prometheus, counted as requests end
series       the labelled series
invocations  which revisions have series in the scrape
scrape       the gauges, at the moment of a scrape
exposition   a scrape's text, paced
audit        the record of changes and incidents: JSON lines, rotated
"""
