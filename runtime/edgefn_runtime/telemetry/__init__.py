"""What is known of a box while it runs: functions' logs, metrics, the audit log.

logs         what functions print: written, and shown to whoever follows
buffer       records between `write` and the disk
logfile      one log on disk, rotated
record       one record as text
follower     a reader that waits for records
metrics      the figures for Prometheus, counted as requests end
series       the labelled series
invocations  whose series are in the scrape
scrape       the gauges, at the moment of a scrape
exposition   a scrape's text, paced
audit        who did what: JSON lines, rotated
"""
