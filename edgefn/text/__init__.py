"""Text that people write and read. Light: every other room may import it.

quantities  sizes and durations: "256MiB", "2s"
tables      TOML tables as structs; errors name file, line and nearest key
suggestion  the known word nearest to an unknown one
terminal    what a terminal would act on, written out
bounded     texts of others: of bounded length, in UTF-8
"""
