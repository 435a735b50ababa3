"""Downloads of public data sets and a synthetic one."""
