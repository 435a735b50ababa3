"""Distribution of training over devices, processes and hosts."""
